// End of a command whose job goes on without it: `--detach`.

import type { CommandContext } from '../context.ts'

/** Prints the job's id, and a note where nothing works after this command. */
export async function detached(context: CommandContext, { id }: { readonly id: string }): Promise<void> {
  if ((await context.mill()).isEmbedded)
    context.note('an embedded cluster works only while a command or program has it open; `gristmill up` starts one that stays')
  return context.json ? context.printer.json({ job: id }) : context.printer.line(id)
}

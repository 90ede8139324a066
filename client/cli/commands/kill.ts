// kill: cancels jobs. A job that has ended does not change.

import type { CommandContext } from '../context.ts'
import { findJob } from '../jobname.ts'

export async function run(context: CommandContext, operands: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await context.each(operands, async operand => {
    const { job } = await findJob(context, operand)
    const status = await mill.job(job).kill({ signal: context.signal })
    if (context.json) return context.printer.json(status, { compact: true })
    await context.printer.line(`${job}: ${status.state}`)
  })
}

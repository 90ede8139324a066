// cat: writes files to stdout, in order. Data is verified against checksums while it is read.

import type { CommandContext } from '../context.ts'
import { remotePaths } from '../tree.ts'

export async function run(context: CommandContext, operands: readonly string[]): Promise<void> {
  const { printer, signal } = context
  for (const operand of operands) {
    if (operand === '-') {
      for await (const chunk of printer.input(signal)) await printer.bytes(chunk)
      continue
    }
    const mill = await context.mill()
    await context.each(remotePaths(context, [operand]), async path => {
      for await (const chunk of mill.createReadStream(path, { signal })) await printer.bytes(chunk as Buffer)
    })
  }
}

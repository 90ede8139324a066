// checksum: CRC32C of whole files. In the cluster it is combined from block checksums, without reading data; equal files have equal
// checksums whatever their block sizes. --local computes the same value for a local file.

import type { CommandContext } from '../context.ts'
import { expandGlob } from '../glob.ts'
import { option, type CommandSpec } from '../spec.ts'
import { localPath, localTree, remotePaths } from '../tree.ts'

export const checksum: CommandSpec = {
  name: 'checksum', args: '<path...>',
  about: 'print CRC32C checksums of files',
  notes: 'Files with the same bytes have the same checksum, whatever their block size.',
  options: [option('--local', 'checksum local files; - is stdin')],
  examples: [
    ['gristmill checksum /logs/access.log', "computed from block checksums, without reading the file"],
    ['gristmill checksum --local access.log', 'checksum of the local copy'],
  ],
  run: runChecksum,
}

const pieceBytes = 1024 * 1024

async function runChecksum(context: CommandContext, operands: readonly string[], options: { local?: boolean }): Promise<void> {
  const print = async (path: string, crc: number, length: number): Promise<void> => {
    const crc32c = crc.toString(16).padStart(8, '0')
    if (context.json) return context.printer.json({ path, crc32c, length }, { compact: true })
    await context.printer.line(`${crc32c}  ${length}  ${context.printer.name(path)}`)
  }
  if (options.local) return local(context, operands, print)
  const mill = await context.mill()
  await context.each(remotePaths(context, operands), async path => {
    const { crc, length } = await mill.checksum(path, { signal: context.signal })
    await print(path, crc, length)
  })
}

async function local(
  context: CommandContext, operands: readonly string[],
  print: (path: string, crc: number, length: number) => Promise<void>,
): Promise<void> {
  const { crc32c } = await import('@node-rs/crc32')
  const { disk } = await context.world()
  const tree = localTree(disk, context.cwd)
  await context.each(operands, async operand => {
    if (operand === '-') {
      let crc = 0
      let length = 0
      for await (const chunk of context.printer.input(context.signal)) {
        crc = crc32c(chunk, crc)
        length += chunk.length
      }
      return print('-', crc, length)
    }
    for await (const path of expandGlob(operand, tree)) {
      const reader = await disk.openRead(localPath(context, path))
      try {
        const buffer = Buffer.allocUnsafe(pieceBytes)
        let crc = 0
        let at = 0
        for (;;) {
          context.signal.throwIfAborted()
          const bytes = await reader.read(buffer, at)
          if (bytes === 0) break
          crc = crc32c(buffer.subarray(0, bytes), crc)
          at += bytes
        }
        await print(path, crc, at)
      } finally {
        await reader.close()
      }
    }
  })
}

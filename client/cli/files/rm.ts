// rm: moves paths to the trash in one step each; with --skip-trash deletes them, and the namenode frees their blocks in the
// background.

import { hasCode } from '../../../src/base/errors.ts'
import { endsInDots, normalise } from '../../../src/base/paths.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { expandGlob } from '../glob.ts'
import { option, type CommandSpec } from '../spec.ts'
import { remoteTree } from '../tree.ts'
import { recursive } from './options.ts'

export const rm: CommandSpec = {
  name: 'rm', args: '<path...>', about: 'remove files and directories',
  notes:
    'Removed entries go to the trash and stay there for one day (gristmill trash --help); their space is freed when they leave the trash.\n'
    + 'Entries in the trash or below /.gristmill are deleted permanently.',
  options: [recursive, option('-f, --force', 'no error for missing files'), option('--skip-trash', 'delete permanently, at once')],
  examples: [
    ['gristmill rm -r /words', 'a directory with its contents'],
    ['gristmill rm --skip-trash /huge.csv', 'delete permanently and free the space'],
  ],
  run: runRm,
}

async function runRm(
  context: CommandContext, operands: readonly string[],
  options: { recursive?: boolean; force?: boolean; skipTrash?: boolean },
): Promise<void> {
  const mill = await context.mill()
  const tree = remoteTree(mill, context.signal)
  const quietly = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      if (!(options.force && hasCode(error, 'ENOENT'))) throw error
    }
  }
  await context.each(operands, operand =>
    quietly(async () => {
      // Expand all globs first: a listing must not be read while its entries are removed.
      const paths = await Array.fromAsync(expandGlob(operand, tree))
      for (const path of paths) {
        // Before any of them is removed, and before the path is made normal.
        if (endsInDots(path))
          throw new Refusal('EINVAL', `${path}: "." and ".." are not removed; name the directory itself`, { details: { path } })
      }
      await context.each(paths.map(normalise), path =>
        quietly(async () => {
          if (path === '/')
            throw new Refusal('EINVAL', '/: the root directory cannot be removed; name its entries (/*)', { details: { path } })
          // A path that is not found is sent, too: the audit log has what was asked for.
          const status = options.recursive ? undefined : await mill.status(path, { signal: context.signal }).catch((error: unknown) => {
            if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error
            return undefined
          })
          if (status?.type === 'directory') {
            throw new Refusal('EISDIR', `${path}: is a directory; add -r to remove it recursively`, { details: { path } })
          }
          await mill.rm(path, { recursive: options.recursive === true, skipTrash: options.skipTrash === true, signal: context.signal })
        }),
      )
    }),
  )
}

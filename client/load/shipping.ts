// The files that a program brings along, read where it is submitted. What the list names is looked for beside the program; a directory
// stands for all files in it, in the order of their names, so that the same files give the same bundle everywhere.

import { posix, join } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { formatBytes } from '../../src/base/units.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { assetHash } from '../../src/program/assets.ts'
import type { ShippedAsset } from '../jobs/submit.ts'

/** Throws ENOENT for a name that is not there, EINVAL for one that is not below or beside the program, TOO_LARGE. */
export async function readAssets(disk: Disk, directory: string, names: readonly string[]): Promise<ShippedAsset[]> {
  const assets: ShippedAsset[] = []
  let total = 0
  const seen = new Set<string>()
  const add = async (name: string): Promise<void> => {
    const path = join(directory, name)
    const found = await disk.stat(path)
    if (!found) throw new GristmillError('ENOENT', `there is no asset ${name} beside the program: ${path} does not exist`, { details: { path } })
    if (found.kind === 'directory') {
      for (const entry of (await disk.list(path)).map(one => one.name).sort()) await add(posix.join(name, entry))
      return
    }
    if (seen.has(name)) return
    seen.add(name)
    total += found.bytes
    if (total > limits.assetsBytesMax || seen.size > limits.assetsMax) {
      throw new GristmillError('TOO_LARGE', `the assets of a program may have ${formatBytes(limits.assetsBytesMax)} in ${limits.assetsMax} files; put larger data into files of the cluster`, { details: { path } })
    }
    const content = await disk.readFile(path)
    assets.push({ name, id: assetHash(content), bytes: content.length, content })
  }
  for (const name of names) {
    if (name.startsWith('/') || name.includes('\0')) throw new GristmillError('EINVAL', `the asset ${JSON.stringify(name)} is no path relative to the program`)
    await add(posix.normalize(name).replace(/\/$/, ''))
  }
  return assets
}

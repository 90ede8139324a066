// Reads the assets of a program, the files sent along with it, at its submission. Names are relative to the program; a directory
// stands for all files in it, in order of their names, so that the same files give the same bundle everywhere. Links to files are
// followed; a link found inside a directory must stay within the program's directory, so that no unintended file is sent.

import { posix, join } from 'node:path'
import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { formatBytes } from '../../src/base/units.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { assetHash, type Asset } from '../../src/program/assets.ts'

/** An asset with its content. */
export interface ShippedAsset extends Asset { readonly content: Uint8Array }

/** Throws ENOENT for a missing file, EINVAL for a path that is not below or beside the program, TOO_LARGE. */
export async function readAssets(disk: Disk, directory: string, names: readonly string[]): Promise<ShippedAsset[]> {
  const assets: ShippedAsset[] = []
  let total = 0
  const seen = new Set<string>()
  const add = async (name: string): Promise<void> => {
    const path = join(directory, name)
    const itself = await disk.stat(path)
    const link = itself?.kind === 'other'
    const found = link ? await disk.stat(path, { follow: true }) : itself
    if (link && !found)
      throw new GristmillError(
        'ENOENT',
        `the asset ${name} is a link to something that does not exist: ${path}; repair the link, or remove it from the list of assets`,
        { details: { path } },
      )
    if (!found)
      throw new GristmillError('ENOENT', `there is no asset ${name} beside the program: ${path} does not exist`, { details: { path } })
    if (found.kind === 'other')
      throw new GristmillError(
        'EINVAL',
        `the asset ${name} is neither a file nor a directory: ${path}; leave it out, or name the files beside it one by one`,
        { details: { path } },
      )
    if (link && found.kind === 'directory')
      throw new GristmillError(
        'EINVAL',
        `the asset ${name} is a link to a directory: ${path}; name the directory ${found.path ?? ''} itself, if it is beside the program, or copy it there`,
        { details: { path } },
      )
    // A link that is named explicitly may lead anywhere; one that is found in a directory may not.
    if (link && !names.some(named => plain(named) === name) && !(await inside(found.path ?? path))) {
      throw new GristmillError(
        'EINVAL',
        `the asset ${name} is a link that leads out of the program's directory, to ${found.path ?? path}; name it itself among the assets if that is intended, or copy the file`,
        { details: { path } },
      )
    }
    if (found.kind === 'directory') {
      for (const entry of (await disk.list(path)).map(one => one.name).sort()) await add(posix.join(name, entry))
      return
    }
    if (seen.has(name)) return
    seen.add(name)
    total += found.bytes
    if (total > limits.assetsBytesMax || seen.size > limits.assetsMax) {
      throw new GristmillError(
        'TOO_LARGE',
        `the assets of a program may have ${formatBytes(limits.assetsBytesMax)} in ${limits.assetsMax} files; put larger data into files of the cluster`,
        { details: { path } },
      )
    }
    const content = await disk.readFile(found.path ?? path)
    assets.push({ name, id: assetHash(content), bytes: content.length, content })
  }
  const inside = async (path: string): Promise<boolean> => {
    const base = (await disk.stat(directory, { follow: true }))?.path ?? directory
    return path.startsWith(`${base}/`)
  }
  for (const name of names) {
    if (name.startsWith('/') || name.includes('\0'))
      throw new GristmillError('EINVAL', `the asset ${JSON.stringify(name)} is no path relative to the program`)
    await add(plain(name))
  }
  return assets
}

const plain = (name: string): string => posix.normalize(name).replace(/\/$/, '')

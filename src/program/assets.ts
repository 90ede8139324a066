// Assets of a program: files named in its `assets` and stored beside its code. Their list, with hashes, is the last line of the bundle, so
// that the bundle's hash covers them. On each machine they are stored in `<bundle>.assets/`, under their paths relative to the program's
// directory.

import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { GristmillError } from '../base/errors.ts'
import type { Disk } from '../ports/disk.ts'

export interface Asset {
  /** Path as in the program: relative to its directory, with `/`. */
  readonly name: string
  /** SHA-256, in hex. */
  readonly id: string
  readonly bytes: number
}

const mark = '//# gristmillAssets='

/** Replaces `..` in paths: an asset outside of the program's directory must not be stored outside of the assets' directory. */
export const upName = '_up_'

/** Path of a file below the directory of the assets. */
export const placeOf = (name: string): string =>
  name
    .replaceAll('\\', '/')
    .split('/')
    .filter(part => part !== '.' && part !== '')
    .map(part => (part === '..' ? upName : part))
    .join('/')

export const assetHash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Path of an asset in the cluster: beside the bundle, under its hash. */
export const assetPath = (bundlePath: string, id: string): string => `${bundlePath.slice(0, bundlePath.lastIndexOf('/'))}/${id}.asset`

/** The bundle with the list of assets appended; unchanged without assets. */
export function withAssets(bundle: Uint8Array, assets: readonly Asset[]): Buffer {
  if (assets.length === 0) return Buffer.from(bundle)
  return Buffer.concat([
    bundle,
    Buffer.from(
      `${mark}${Buffer.from(JSON.stringify(assets.map(({ name, id, bytes }): Asset => ({ name, id, bytes })))).toString('base64')}\n`,
    ),
  ])
}

export function assetsIn(bundle: string): Asset[] {
  const at = bundle.lastIndexOf(`\n${mark}`)
  // Only the last line counts: the program itself may contain such a comment.
  if (at < 0 || bundle.indexOf('\n', at + 1) !== bundle.length - 1) return []
  return JSON.parse(Buffer.from(bundle.slice(at + 1 + mark.length).trim(), 'base64').toString('utf8')) as Asset[]
}

/** Path at which a file is written before it gets its name. */
export const temporaryOf = (file: string, { instance, scratch }: { instance: string; scratch?: string | undefined }): string =>
  `${scratch === undefined ? file : join(scratch, basename(file))}.${encodeURIComponent(instance)}.part`

/**
 * Fetches the assets that are missing or damaged on this machine; existing ones are verified by their hash. Throws CORRUPT if a fetched
 * asset differs from the submitted one.
 */
export async function keepAssets(
  disk: Disk, dir: string, assets: readonly Asset[],
  { instance, scratch, fetchAsset }:
    { instance: string; scratch?: string | undefined; fetchAsset: (asset: Asset) => Promise<Uint8Array> },
): Promise<void> {
  for (const asset of assets) {
    const file = join(dir, placeOf(asset.name))
    if ((await disk.stat(file))?.bytes === asset.bytes && assetHash(await disk.readFile(file)) === asset.id) continue
    const bytes = await fetchAsset(asset)
    if (assetHash(bytes) !== asset.id)
      throw new GristmillError('CORRUPT', `the stored asset ${asset.name} has other bytes than were submitted; submit the job again`)
    await disk.mkdir(join(file, '..'))
    const temporary = temporaryOf(file, { instance, scratch })
    const writer = await disk.create(temporary, { exclusive: false, mode: 0o600 })
    try {
      writer.writeSync(Buffer.from(bytes))
    } finally {
      await writer.close()
    }
    await disk.rename(temporary, file)
  }
}

// Bundles by the files of their programs: to compile a program takes longer than to submit its job, so one that has not changed is not
// compiled again.
// INVARIANT: a bundle is returned only if the compiler would make the same one now. So a program is kept that has one file, which imports
// nothing but 'gristmill' and Node's own modules, by name; and each time its text is compared, with all configuration files in the
// directories above it, which the compiler reads as well.

import { dirname, join } from 'node:path'
import { MiB } from '../base/units.ts'
import type { Disk } from '../ports/disk.ts'
import { bundleProgram, type Bundle } from './bundle.ts'

const bundlesKept = 20
const bundleBytesMax = 1 * MiB
/** Files by which the compiler is configured. */
const configuring = ['tsconfig.json', 'jsconfig.json', 'package.json']
/** Its imports are decided elsewhere: by names that are computed, or a configuration in another directory. */
const isElsewhere = /\b(?:import|require)\s*\(|"extends"/

export class Bundles {
  readonly #known = new Map<string, { readonly read: string; readonly bundle: Bundle }>()

  /** As `bundleProgram`. */
  async bundle({ disk }: { disk: Disk }, file: string): Promise<Bundle> {
    const read = await readOf(disk, file)
    const known = this.#known.get(file)
    if (known && known.read === read) return known.bundle
    this.#known.delete(file)
    const bundle = await bundleProgram({ disk }, file)
    if (!bundle.isOneFile || read === undefined || bundle.bytes.length > bundleBytesMax) return bundle
    // Not if it has changed meanwhile.
    if (await readOf(disk, file) === read) this.#known.set(file, { read, bundle })
    for (const oldest of this.#known.keys()) if (this.#known.size > bundlesKept) this.#known.delete(oldest)
    return bundle
  }
}

/** Everything that the compiler reads for a program of one file; undefined if that cannot be known. */
async function readOf(disk: Disk, file: string): Promise<string | undefined> {
  try {
    const found = await disk.stat(file, { follow: true })
    if (found?.kind !== 'file' || found.path === undefined || found.bytes > bundleBytesMax) return undefined
    const paths = [found.path]
    for (let at = dirname(found.path); ; at = dirname(at)) {
      paths.push(...configuring.map(name => join(at, name)))
      if (dirname(at) === at) break
    }
    const texts = await Promise.all(paths.map(path => textOf(disk, path)))
    return texts.some(text => text !== undefined && isElsewhere.test(text)) ? undefined : JSON.stringify([paths, texts])
  } catch {
    return undefined // the compiler tells why
  }
}

async function textOf(disk: Disk, path: string): Promise<string | undefined> {
  const found = await disk.stat(path, { follow: true })
  return found && (await disk.readFile(found.path ?? path)).toString('latin1')
}

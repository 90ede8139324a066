// Loads a bundle into this process. It lies in a file named by its hash, which is checked each time: what runs is what was
// submitted. A job gets an instance of the module of its own, so that nothing of one job is seen by the next.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { GristmillError } from '../base/errors.ts'
import type { ProgramId } from '../base/ids.ts'
import type { Disk } from '../ports/disk.ts'
import type { Modules } from '../ports/modules.ts'
import { isMapReduce, type Definition, type Params } from './authoring.ts'
import { assetsIn, keepAssets, placeOf, type Asset } from './assets.ts'
import { idOf } from './bundle.ts'
import { StackMapper } from './stack.ts'

export interface Program {
  readonly definition: Definition
  /** By name: where each asset lies. */
  readonly assets: ReadonlyMap<string, string>
  /** The run's parameters over the program's own. */
  readonly params: Params
  /** Shows what it throws. */
  readonly stacks: StackMapper
}

export interface LoadOptions {
  readonly id: ProgramId
  /** Where bundles are kept on this machine; exists. */
  readonly dir: string
  readonly params: Params
  /** Tells instances of the module apart: the same gives the same instance. */
  readonly instance: string
  /** The bundle, if it is not on this machine yet. */
  readonly fetch: () => Promise<Uint8Array>
  /** An asset that is not on this machine yet. Without it the program has none here. */
  readonly fetchAsset?: (asset: Asset) => Promise<Uint8Array>
}

/** `.mjs`, so that node needs to look neither for a package.json nor at the contents to know what it is. */
export const bundleFile = (dir: string, id: ProgramId): string => join(dir, `${id}.mjs`)

/** Node's own. */
export const nodeModules: Modules = Object.freeze({
  urlOf: (file: string) => pathToFileURL(file).href,
  load: (file: string, instance: string) => import(`${pathToFileURL(file).href}?${encodeURIComponent(instance)}`) as Promise<unknown>,
})

/** Throws PROGRAM_INVALID if the program does not load or is not one, CORRUPT if the bundle is not the one that is meant. */
export async function loadProgram(
  { disk, modules = nodeModules }: { disk: Disk; modules?: Modules | undefined },
  options: LoadOptions,
): Promise<Program> {
  const file = bundleFile(options.dir, options.id)
  const bundle = await keepBundle(disk, options)
  const text = bundle.toString('utf8')
  const stacks = new StackMapper(modules.urlOf(file), text)
  const assets = options.fetchAsset ? assetsIn(text) : []
  const assetDir = file.replace(/\.mjs$/, '.assets')
  if (options.fetchAsset) await keepAssets(disk, assetDir, assets, { instance: options.instance, fetchAsset: options.fetchAsset })
  let exported: unknown
  try {
    const module = (await modules.load(file, options.instance)) as { default?: unknown }
    exported = module.default
    // A CommonJS module that was compiled from an ES module (tsc) keeps its default export under that name.
    if (isCompiled(exported)) exported = exported.default
    // A program may be built from its parameters.
    if (typeof exported === 'function') exported = await (exported as (params: Params) => unknown)(options.params)
  } catch (error) {
    const { message, stack } = stacks.describe(error)
    throw new GristmillError('PROGRAM_INVALID', `the program cannot be loaded: ${message}`, {
      cause: error,
      details: { ...(stack !== undefined && { output: stack, stack }) },
    })
  }
  if (!isMapReduce(exported)) {
    throw new GristmillError(
      'PROGRAM_INVALID',
      `the program's default export is ${exported === undefined ? 'missing' : 'something else'}; it must be a job: export default mapReduce({ map(record, emit) { … }, … })`,
    )
  }
  const { definition } = exported
  return {
    definition,
    assets: new Map(assets.map(({ name }) => [name, join(assetDir, placeOf(name))])),
    params: Object.freeze({ ...(definition.params as Params | undefined), ...options.params }),
    stacks,
  }
}

function isCompiled(exported: unknown): exported is { default?: unknown } {
  return typeof exported === 'object' && exported !== null && (exported as { __esModule?: unknown }).__esModule === true
}

/** The bundle, which lies in its file afterwards. */
export async function keepBundle(
  disk: Disk,
  { id, dir, fetch, instance }: Pick<LoadOptions, 'id' | 'dir' | 'fetch' | 'instance'>,
): Promise<Buffer> {
  const file = bundleFile(dir, id)
  if (await disk.stat(file)) {
    const kept = await disk.readFile(file)
    // One that was damaged on this disk is fetched again.
    if (idOf(kept) === id) return kept
  }
  const fetched = Buffer.from(await fetch())
  const found = idOf(fetched)
  if (found !== id)
    throw new GristmillError(
      'CORRUPT',
      `the stored program ${id} has other bytes than were submitted (their hash is ${found}); submit it again`,
    )
  await keep(disk, file, fetched, instance)
  return fetched
}

/** Whole or not at all, but not durably: what a power cut damages is found out by its hash. Others may do the same at this moment. */
async function keep(disk: Disk, file: string, bytes: Buffer, instance: string): Promise<void> {
  const temporary = `${file}.${encodeURIComponent(instance)}.part`
  const writer = await disk.create(temporary, { exclusive: false, mode: 0o600 })
  try {
    writer.writeSync(bytes)
  } finally {
    await writer.close()
  }
  await disk.rename(temporary, file)
}

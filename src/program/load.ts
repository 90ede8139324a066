// Loads a program's bundle into this process. The bundle is kept in a file named by its hash, which is verified at each load, so that
// the code that runs is the code that was submitted. Each job gets its own instance of the module, so that jobs share no module state.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { GristmillError } from '../base/errors.ts'
import type { ProgramId } from '../base/ids.ts'
import type { Disk } from '../ports/disk.ts'
import type { Modules } from '../ports/modules.ts'
import { isMapReduce } from './authoring.ts'
import { isDataflow, type Dataflow } from './dataflow.ts'
import { assetsIn, keepAssets, placeOf, temporaryOf, type Asset } from './assets.ts'
import { idOf } from './bundle.ts'
import type { AnyDefinition, Params } from './definition.ts'
import { StackMapper } from './stack.ts'
import { isWorkflow, type WorkflowDefinition } from './workflow.ts'

/** The job that a program exports. */
type ProgramJob =
  | { readonly kind: 'mapReduce'; readonly definition: AnyDefinition }
  | { readonly kind: 'dataflow'; readonly dataflow: Pick<Dataflow, 'drive'> }

export interface Program {
  readonly job: ProgramJob
  /** Parameters that the program declares, with their defaults; undefined: it takes any. */
  readonly declared: Params | undefined
  /** Names of its assets, as the program gives them. */
  readonly assetNames: readonly string[]
  /** Local path of each asset, by name. */
  readonly assets: ReadonlyMap<string, string>
  /** The program's parameters, overridden by those of the run. */
  readonly params: Params
  /** Maps stacks of errors of the program to its sources. */
  readonly stacks: StackMapper
}

export interface LoadWorld {
  readonly disk: Disk
  /** Default: Node's. */
  readonly modules?: Modules | undefined
  /** Calls the program's own code: its module, and its default export if that is a function. Default: calls it directly. */
  readonly call?: (<T>(work: () => T) => T) | undefined
}

export interface LoadOptions {
  readonly id: ProgramId
  /** Directory of bundles on this machine. REQUIRES: it exists. */
  readonly dir: string
  readonly params: Params
  /** Input and output of the run, for programs that take them as parameters. */
  readonly paths?: Params | undefined
  /** Id of the module instance: the same id gives the same instance. */
  readonly instance: string
  /**
   * Directory of this process alone, on the same filesystem as `dir`: files are written there first, so that no other process writes to
   * them, and none is left over if this one is killed. Default: `dir`.
   */
  readonly scratch?: string | undefined
  /** Fetches the bundle; called if it is not on this machine yet. */
  readonly fetch: () => Promise<Uint8Array>
  /** Fetches an asset that is not on this machine yet. Default: the program is loaded without assets. */
  readonly fetchAsset?: (asset: Asset) => Promise<Uint8Array>
}

/** `.mjs`, so that Node need not look for a package.json or at the contents to find the module type. */
export const bundleFile = (dir: string, id: ProgramId): string => join(dir, `${id}.mjs`)

/** Node's module loader. */
export const nodeModules: Modules = Object.freeze({
  urlOf: (file: string) => pathToFileURL(file).href,
  load: (file: string, instance: string) => import(`${pathToFileURL(file).href}?${encodeURIComponent(instance)}`) as Promise<unknown>,
})

/** Throws PROGRAM_INVALID if the program cannot be loaded or exports no job, CORRUPT if the fetched bundle has another hash. */
export async function loadProgram(world: LoadWorld, options: LoadOptions): Promise<Program> {
  const file = bundleFile(options.dir, options.id)
  const text = (await keepBundle(world.disk, options)).toString('utf8')
  const assets = options.fetchAsset ? assetsIn(text) : []
  const assetDir = file.replace(/\.mjs$/, '.assets')
  const { instance, scratch, fetchAsset } = options
  if (fetchAsset) await keepAssets(world.disk, assetDir, assets, { instance, scratch, fetchAsset })
  const { exported, made, stacks } = await evaluate(world, options, text, found => jobOf(found, options))
  if (!made) {
    throw new GristmillError(
      'PROGRAM_INVALID',
      isWorkflow(exported)
        ? 'the program is a workflow, which declares datasets and runs nothing itself; build them: gristmill build --file FILE'
        : `the program's default export is ${exported === undefined ? 'missing' : 'something else'}; it must be a job: export default program((mill, { input, output }) => …), or mapReduce({ map(record, emit) { … }, … })`,
    )
  }
  return { ...made, assets: new Map(assets.map(({ name }) => [name, join(assetDir, placeOf(name))])), stacks }
}

/** The declaration of a workflow, as plain data. Throws PROGRAM_INVALID if the module cannot be loaded or exports none. */
export async function loadWorkflow(world: LoadWorld, options: LoadOptions): Promise<WorkflowDefinition> {
  const text = (await keepBundle(world.disk, options)).toString('utf8')
  const { made } = await evaluate(world, options, text, found => (isWorkflow(found) ? found.definition : undefined))
  if (made) return made
  throw new GristmillError(
    'PROGRAM_INVALID',
    "the file's default export is no workflow: export default workflow({ datasets: { '/out': { program: './out.ts', input: '/in' } } })",
  )
}

/** Loads the module of a bundle, and takes from its default export what it is asked for. */
async function evaluate<T>(
  { modules = nodeModules, call = work => work() }: LoadWorld, options: LoadOptions, text: string,
  take: (exported: unknown) => T | undefined,
): Promise<{ exported: unknown; made: T | undefined; stacks: StackMapper }> {
  const file = bundleFile(options.dir, options.id)
  const stacks = new StackMapper(modules.urlOf(file), text)
  try {
    const module = (await call(() => modules.load(file, options.instance))) as { default?: unknown }
    let exported: unknown = module.default
    // A CommonJS module compiled from an ES module (tsc) has its default export in a field `default`.
    if (isCompiled(exported)) exported = exported.default
    // A program may be built from its parameters.
    if (typeof exported === 'function') {
      const build = exported as (params: Params) => unknown
      const params = frozenCopy(options.params)
      exported = await call(() => build(params))
    }
    return { exported, made: take(exported), stacks }
  } catch (error) {
    const { message, stack } = stacks.describe(error)
    throw new GristmillError('PROGRAM_INVALID', `the program cannot be loaded: ${message}`, {
      cause: error,
      details: { ...(stack !== undefined && { output: stack, stack }) },
    })
  }
}

/** undefined: the export is no job. */
function jobOf(
  exported: unknown, { params: given, paths }: LoadOptions,
): Pick<Program, 'job' | 'declared' | 'assetNames' | 'params'> | undefined {
  if (isMapReduce(exported)) {
    const { definition } = exported
    const declared = definition.params as Params | undefined
    const params = frozenCopy({ ...declared, ...given })
    return { job: { kind: 'mapReduce', definition }, declared, params, assetNames: definition.assets ?? [] }
  }
  if (!isDataflow(exported)) return undefined
  const { params: declared, assets: assetNames } = exported
  const params = frozenCopy({ ...declared, ...paths, ...given })
  return { job: { kind: 'dataflow', dataflow: drivable(exported) }, declared, params, assetNames }
}

/** Bundles of the version before describe one Dataset, which is saved. */
const drivable = (dataflow: Omit<Dataflow, 'drive'> & Partial<Dataflow>): Pick<Dataflow, 'drive'> =>
  dataflow.drive
    ? { drive: (params, flow) => dataflow.drive!(params, flow) }
    : { drive: async (params, flow) => { await flow.run({ method: 'save', root: await dataflow.build(params) }) } }

/**
 * Tasks of a job in one process share the parameters: a write to any part of them throws in the program, so that no task's result depends
 * on those before it. The program's own objects stay as they are. Parameters are JSON; anything else is refused when the job is planned.
 */
function frozenCopy<T>(value: T): T {
  if (Array.isArray(value)) return Object.freeze(value.map(item => frozenCopy(item) as unknown)) as T
  if (typeof value !== 'object' || value === null || ![Object.prototype, null].includes(Object.getPrototypeOf(value) as null)) return value
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([name, item]) => [name, frozenCopy(item) as unknown]))) as T
}

function isCompiled(exported: unknown): exported is { default?: unknown } {
  return typeof exported === 'object' && exported !== null && (exported as { __esModule?: unknown }).__esModule === true
}

/** The bundle's bytes; afterwards they are in its local file. Throws CORRUPT if the fetched bundle has another hash. */
export async function keepBundle(
  disk: Disk,
  { id, dir, fetch, instance, scratch }: Pick<LoadOptions, 'id' | 'dir' | 'fetch' | 'instance' | 'scratch'>,
): Promise<Buffer> {
  const file = bundleFile(dir, id)
  if (await disk.stat(file)) {
    const kept = await disk.readFile(file)
    // A damaged local file is fetched again.
    if (idOf(kept) === id) return kept
  }
  const fetched = Buffer.from(await fetch())
  const found = idOf(fetched)
  if (found !== id)
    throw new GristmillError(
      'CORRUPT',
      `the stored program ${id} has other bytes than were submitted (their hash is ${found}); submit it again`,
    )
  await keep(disk, file, fetched, { instance, scratch })
  return fetched
}

/** Writes the file atomically but not durably: damage by a power loss is detected by the hash. Other processes may do the same now. */
async function keep(disk: Disk, file: string, bytes: Buffer, options: Pick<LoadOptions, 'instance' | 'scratch'>): Promise<void> {
  const temporary = temporaryOf(file, options)
  const writer = await disk.create(temporary, { exclusive: false, mode: 0o600 })
  try {
    writer.writeSync(bytes)
  } finally {
    await writer.close()
  }
  await disk.rename(temporary, file)
}

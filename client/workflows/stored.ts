// A workflow with its programs as files of the cluster, for builds that a process of the cluster does: the declaration, and for each
// dataset the bundle of its program with its assets, as a run from this machine would store it. Builds from here and from there therefore
// take each other's outputs for up to date.

import { GristmillError } from '../../src/base/errors.ts'
import { programId, type ProgramId } from '../../src/base/ids.ts'
import { idOf, type Bundle } from '../../src/program/bundle.ts'
import type { WorkflowDefinition } from '../../src/program/workflow.ts'
import { pathsOf, givenParams } from '../jobs/options.ts'
import { knownProgram, type RunTools } from '../jobs/run.ts'
import { storeOf } from '../jobs/store.ts'
import { storeProgram } from '../jobs/storeprogram.ts'
import { yesterday } from './day.ts'
import { checkDeclaration, type Declaration } from './declaration.ts'
import { graphOf } from './graph.ts'
import { runOptionsOf, type ProgramsOf } from './stale.ts'

/** The stored file, as JSON. */
interface StoredText {
  /** Name of the workflow's file on the machine of its user: base of the names in messages. */
  readonly file: string
  readonly definition: WorkflowDefinition
  /** By the path of the dataset, as it is declared. */
  readonly programs: Readonly<Record<string, { readonly id: string; readonly path: string; readonly name: string }>>
}

interface Given { readonly file: string; readonly definition: WorkflowDefinition; readonly signal?: AbortSignal | undefined }

/** Stores the programs, and the workflow last. Throws PROGRAM_INVALID and EINVAL for what a build could not run, ENOENT for an asset. */
export async function storeWorkflow(
  tools: RunTools, { file, definition, signal }: Given,
): Promise<{ readonly id: ProgramId; readonly path: string }> {
  const { cluster, files } = tools
  const declaration = checkDeclaration(definition, file)
  const day = Math.max(yesterday(cluster.clock.now(), declaration.timeZone), declaration.start ?? 0)
  const programs: Record<string, StoredText['programs'][string]> = {}
  // One day of each: days of a dataset differ in the values of their parameters only.
  for (const node of graphOf(declaration, { from: day, to: day, yesterday: day })) {
    const { program, path: { text } } = node.dataset
    if (programs[text]) continue
    const options = runOptionsOf(node)
    const { bundle } = await knownProgram(tools, program, { params: givenParams(program, options), paths: pathsOf(options), signal })
    programs[text] = { id: bundle.id, name: bundle.name, path: await storeProgram(cluster, storeOf(files), bundle, signal) }
  }
  const bytes = Buffer.from(JSON.stringify({ file, definition, programs } satisfies StoredText))
  const id = idOf(bytes)
  return { id, path: await storeProgram(cluster, storeOf(files), { id, bytes }, signal) }
}

interface StoredWorkflow { readonly declaration: Declaration; readonly programsOf: ProgramsOf }

/** `bytes`: of the stored workflow. Throws CORRUPT if a program is not the one that was stored. */
export async function readStored(tools: Pick<RunTools, 'files'>, bytes: Buffer): Promise<StoredWorkflow> {
  const { file, definition, programs } = JSON.parse(bytes.toString()) as StoredText
  const bundles = new Map<string, Bundle>()
  for (const [dataset, { id, path, name }] of Object.entries(programs)) {
    const read = await storeOf(tools.files).read(path)
    if (idOf(read) !== id)
      throw new GristmillError('CORRUPT', `the stored program ${path} is not the one that the workflow was stored with; store it again`)
    bundles.set(dataset, { id: programId(id), bytes: read, name })
  }
  return { declaration: checkDeclaration(definition, file), programsOf: ({ path: { text } }) => bundles.get(text) }
}

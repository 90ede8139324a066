// Process that runs test files against one mutant after the other. Vitest starts once and keeps its compiled files, and the test files
// of a mutant share one worker, which loads the sources once: a mutant costs only the time of its tests. The parent (runners.ts) kills the
// process when a mutant hangs.

import { join } from 'node:path'
import { BaseSequencer, createVitest, type TestSpecification } from 'vitest/node'
import type { Mutant } from './mutators.ts'
import { root } from './plant.ts'
import { mutantVariable } from './variables.ts'

/** Without a mutant: all tests run against the unchanged sources. */
export interface Request { readonly mutant?: Mutant; readonly tests: readonly string[] }
/** The test files that failed; with a mutant, only the first. */
export interface Verdict { readonly failed: readonly string[] }

/** Keeps the given order: quickest first. */
class AsGiven extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> { return Promise.resolve(files) }
}

process.env[mutantVariable] = ''
// No disk cache: mutants must not reach later runs, nor cached sources replace a mutant.
const vitest = await createVitest('test', {
  root, watch: false, project: ['unit', 'slow'], isolate: false, maxWorkers: 1, fsModuleCache: false, reporters: [{}],
  sequence: { sequencer: AsGiven },
})
await vitest.standalone()
const specifications = new Map((await vitest.globTestSpecifications()).map(each => [each.moduleId, each]))

async function meet({ mutant, tests }: Request): Promise<Verdict> {
  const chosen = tests.map(name => specifications.get(join(root, name))!)
  plant(mutant)
  vitest.config.bail = mutant ? 1 : 0
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(chosen)
  if (mutant) vitest.invalidateFile(join(root, mutant.file))
  const failed = testModules.filter(module => !module.ok()).map(module => module.moduleId.slice(root.length + 1))
  return { failed: failed.length === 0 && unhandledErrors.length > 0 ? ['an unhandled error'] : failed }
}

function plant(mutant: Mutant | undefined): void {
  process.env[mutantVariable] = mutant ? JSON.stringify(mutant) : ''
  if (mutant) vitest.invalidateFile(join(root, mutant.file))
}

process.on('message', (request: Request) => void meet(request).then(verdict => process.send!(verdict)))
process.on('disconnect', () => process.exit())
process.send!({})

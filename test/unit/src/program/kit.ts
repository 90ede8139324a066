// Definition of a loaded map-reduce program, for tests that call its functions.

import { assert } from '../../../../src/base/assert.ts'
import type { AnyDefinition } from '../../../../src/program/definition.ts'
import type { Program } from '../../../../src/program/load.ts'

export function definitionOf({ job }: Program): AnyDefinition {
  assert(job.kind === 'mapReduce', 'the program is a map-reduce job')
  return job.definition
}

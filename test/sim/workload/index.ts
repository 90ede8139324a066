// Workloads of the campaign, by name. Each generates the actions of some clients from a random stream.

import type { Random } from '../../../src/ports/random.ts'
import type { Op } from '../plan.ts'
import { builds } from './builds.ts'
import { care } from './care.ts'
import { drives } from './drives.ts'
import { edits } from './edits.ts'
import { files } from './files.ts'
import { flows } from './flows.ts'
import { jobs } from './jobs.ts'
import { names } from './names.ts'
import { objects } from './objects.ts'
import { operators } from './operators.ts'
import { schedules } from './schedules.ts'
import { small } from './small.ts'
import { versions } from './versions.ts'
import { writers } from './writers.ts'

export type MakeOps = (random: Random, cluster: { readonly datanodes: number }) => Op[]

export const workloads = {
  files, names, writers, jobs, operators, care, flows, small, objects, builds, versions, edits, drives, schedules,
} as const satisfies Record<string, MakeOps>
export type Workload = keyof typeof workloads

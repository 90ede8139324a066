// All mutations that a journal may hold. INVARIANT: a released kind is never removed, so that old journals replay.

import { balanceMutations } from './blocks/balancerequest.ts'
import { formerJobMutations } from './jobs/store/legacy.ts'
import { jobMutations } from './jobs/store/mutations.ts'
import type { AnyMutation } from './journal/operation.ts'
import { recoveredMutations } from './journal/recovered.ts'
import { requestMutations } from './journal/requests.ts'
import { startMutations } from './journal/starts.ts'
import { formatMutations } from './namespace/format.ts'
import { nameMutations } from './namespace/names.ts'
import { sweepMutations } from './namespace/sweep.ts'
import { nodeMutations } from './nodes/known.ts'
import { quotaMutations } from './quotas/mutations.ts'
import { snapshotMutations } from './snapshots/mutations.ts'
import { trashMutations } from './trash/mutations.ts'
import { xattrMutations } from './xattrs/mutations.ts'
import { writingMutations } from './writing/mutations.ts'

export const allMutations: readonly AnyMutation[] = [
  ...requestMutations, ...startMutations, ...recoveredMutations, ...formatMutations, ...nameMutations, ...sweepMutations, ...trashMutations,
  ...snapshotMutations, ...quotaMutations, ...xattrMutations, ...writingMutations, ...nodeMutations, ...balanceMutations, ...jobMutations,
  ...formerJobMutations,
]

// Faults of a run, by profile, drawn from a random stream. Each seed uses only some kinds of its profile: many kinds at once hide what a
// few faults in the right order would show.

import { shuffled, type Random } from '../../../src/ports/random.ts'
import { diskHandlers, diskDraws, type EachDiskFault } from './disk.ts'
import type { FaultHandler, Draw, Nodes } from './family.ts'
import { identityHandlers, identityDraws, type IdentityFault } from './identity.ts'
import { machineHandlers, machineDraws, type MachineFault } from './machine.ts'
import { metadataHandlers, metadataDraws, runsCopy, type MetadataFault } from './metadata.ts'
import { networkHandlers, networkDraws, type NetworkFault } from './network.ts'
import { sessionHandlers, sessionDraws, type SessionFault } from './session.ts'
import { workerHandlers, workerDraws, type WorkerFault } from './worker.ts'

/** A fault. One with a duration ends after `ms`. */
export type FaultAction = MachineFault | NetworkFault | EachDiskFault | IdentityFault | WorkerFault | MetadataFault | SessionFault

export interface Fault { readonly atMs: number; readonly action: FaultAction }

const draws = {
  ...machineDraws, ...networkDraws, ...diskDraws, ...identityDraws, ...workerDraws, ...metadataDraws, ...sessionDraws,
} satisfies Record<string, Draw<FaultAction>>
const families = {
  machine: machineHandlers, network: networkHandlers, disk: diskHandlers, identity: identityHandlers, worker: workerHandlers,
  metadata: metadataHandlers, session: sessionHandlers,
}
const handlers = {
  ...machineHandlers, ...networkHandlers, ...diskHandlers, ...identityHandlers, ...workerHandlers, ...metadataHandlers, ...sessionHandlers,
}

export const handlerOf = (action: FaultAction): FaultHandler<FaultAction> => handlers[action.kind] as FaultHandler<FaultAction>

/** Name of the family of a fault, after its file. */
export const familyOf = ({ kind }: FaultAction): string =>
  Object.entries(families).find(([, handlers]) => Object.hasOwn(handlers, kind))![0]

/** Node or pair that the fault affects; each has one fault at a time. */
export const victimOf = (action: FaultAction): string =>
  'other' in action ? [action.node, action.other].sort().join('+') : 'disk' in action ? `${action.node} disk` : action.node

type Kind = keyof typeof draws

export const profiles = {
  calm: [],
  lossy: ['lossy', 'slow', 'corrupt'],
  crashy: ['kill', 'stop', 'pause', 'failpoint', 'powerCut'],
  rot: ['damage', 'failSync', 'fillDisk', 'lockDisk', 'breakDisk', 'newDisk'],
  partition: ['cut', 'slow', 'pause'],
  operator: ['wipe', 'stop', 'kill'],
  busy: ['slowSync', 'stall', 'slow', 'kill'],
  sessions: ['session', 'kill', 'cut', 'pause'],
  clocks: ['clock', 'kill', 'pause', 'stop'],
  strangers: ['replace', 'wipe', 'revert', 'away', 'kill'],
  sloth: ['straggle', 'misbehave', 'kill', 'pause', 'slow'],
  restored: ['restore', 'kill', 'powerCut', 'pause', 'lossy'],
  // Without limits: last replicas are destroyed, and the check is only that damage is reported correctly (damage.ts).
  beyond: ['damage', 'wipe', 'replace', 'newDisk', 'revert', 'kill', 'powerCut'],
  copies: ['oldCopy', 'leftEarly', 'kill', 'stop', 'pause', 'lossy'],
  // Without faults of the namenode's directory: they lose acknowledged writes, or need the other nodes healthy.
  all: (Object.keys(draws) as Kind[]).filter(kind => kind !== 'restore' && !runsCopy(kind)),
} as const satisfies Record<string, readonly Kind[]>
export type Profile = keyof typeof profiles

export function faultsOf(
  random: Random,
  { profile, datanodes, disks, lastsMs }: { profile: Profile; datanodes: number; disks: number; lastsMs: number },
): Fault[] {
  const allowed = profiles[profile]
  if (allowed.length === 0) return []
  const used = shuffled<Kind>(allowed, random).slice(0, 1 + random.below(Math.min(allowed.length, 4)))
  const datanode = (): string => `datanode${1 + random.below(datanodes)}`
  const any = (): string => (random.below(4) === 0 ? 'namenode' : datanode())
  const nodes: Nodes = {
    any, datanode, disk: () => random.below(disks),
    pair() {
      const from = any()
      for (;;) {
        const to = random.below(3) === 0 ? 'client' : any()
        if (to !== from) return [from, to]
      }
    },
  }
  const draw = (kind: Kind): Fault => ({ atMs: random.below(lastsMs), action: (draws[kind] as Draw<FaultAction>)(random, nodes) })
  const faults = Array.from({ length: 1 + random.below(10) }, () => draw(used[random.below(used.length)]!))
  // At least two, as the profile's name promises.
  if (profile === 'sessions') faults.push(draw('session'), draw('session'))
  for (const [named, kind] of [
    ['restored', 'restore'], ['copies', 'oldCopy'], ['copies', 'leftEarly'], ['copies', 'freshFirst'],
  ] as const) {
    if (profile === named && !faults.some(({ action }) => action.kind === kind)) faults.push(draw(kind))
  }
  return faults.sort((a, b) => a.atMs - b.atMs)
}

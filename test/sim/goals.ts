// Goals of the fixed seeds: names of the combinations that a plan reaches, of workload, faults, calls of clients and shape of the cluster.
// `choose.ts` chooses seeds that reach the goals of many plans; the campaign fails when their list misses a goal. Pure.

import { familyOf, type Fault, type FaultAction } from './fault/index.ts'
import type { Action, Plan } from './plan.ts'

export function goalsOf({ workload, profile, datanodes, racks, disks = 1, blockSize, settings = {}, ops, faults }: Plan): Set<string> {
  const goals = new Set([`${workload} under ${profile}`])
  const kinds = [...new Set(faults.map(faultOf))].sort()
  const families = new Set(faults.map(({ action }) => familyOf(action)))
  for (const kind of kinds) goals.add(`${workload}, ${kind}`)
  // Of a profile with all kinds there are more pairs than seeds.
  if (profile !== 'all')
    for (const one of kinds) for (const other of kinds) if (one < other) goals.add(`${profile}, ${one} and ${other}`)
  for (const call of new Set(ops.map(({ action }) => callOf(action))))
    for (const family of families.size === 0 ? ['none'] : families) goals.add(`${call}, faults of ${family}`)
  for (const { action } of faults) for (const detail of detailsOf(action)) goals.add(detail)
  const { blockTrashKeep, inlineBytes = '0' } = settings
  const shape = { datanodes, racks: racks.length, disks, blockSize, blockTrashKeep, inlineBytes }
  for (const [name, value] of Object.entries(shape)) goals.add(`${workload}, ${name} ${value}`)
  return goals
}

/** Kind of a fault, with the kind of node that it strikes. Two kinds are drawn under names of their own. */
function faultOf({ action }: Fault): string {
  const { kind, node } = action
  const name = kind === 'wipe' && action.identity ? 'wipe with its identity' : kind
  return node === 'namenode' ? `${name} of the namenode` : name
}

function detailsOf(action: FaultAction): string[] {
  switch (action.kind) {
    case 'damage': return [`damage: ${action.how}`]
    case 'misbehave': return [`misbehave: ${action.how}`]
    case 'failpoint': return [`failpoint ${action.point}`]
    case 'session': return [`session: ${action.step} ${action.moment}, ${action.blow}`, `session: ${action.begin} ${action.step}`]
    case 'cut': return [`cut ${action.oneWay ? 'one way' : 'both ways'}${action.other === 'client' ? ' from clients' : ''}`]
    case 'spoil': return Object.keys(action.how).map(how => `spoil: ${how}`)
    default: return []
  }
}

/** Kind of a call, with what it does where one kind does several things. */
function callOf(action: Action): string {
  switch (action.kind) {
    case 'object': case 'edit': case 'version': return `${action.kind} ${action.does}`
    case 'job': return `job ${action.program}${action.replaces === undefined ? '' : ` that replaces ${action.replaces}`}`
    case 'put': return action.overwrite ? 'put over' : 'put'
    case 'build': return action.until ? 'build until' : action.isOther ? 'build of another' : 'build'
    case 'endDrivers': return action.lateMs === undefined ? 'endDrivers' : 'endDrivers late'
    default: return action.kind
  }
}

// Short texts for the nodes of a plan, for explain.

import { unreachable } from '../base/assert.ts'
import { formatBytes } from '../base/units.ts'
import { cachedStep } from './cached.ts'
import type { PlanNode, StepPlace } from './node.ts'

/** One line: the kind of the node, with its options, and the method of the program that it belongs to. */
export function describeNode(node: PlanNode, places: readonly StepPlace[] = []): string {
  const place = (node as { readonly place?: number }).place
  const step = place === undefined ? undefined : places[place]?.step
  if (node.kind === 'join' || node.kind === 'lookup') return joinText(node, step ?? `${node.how} join`)
  const text = kindOf(node)
  return step === undefined || text === step ? text : `${text} for ${step}`
}

function kindOf(node: PlanNode): string {
  switch (node.kind) {
    case 'read': {
      const { format, ...options } = node.options
      const [step] = (node.paths ?? []).flatMap(path => cachedStep(path) ?? [])
      if (step !== undefined) return `read what step ${step} has cached`
      return `read ${format}${node.paths ? ` ${node.paths.join(' ')}` : ''}${optionsOf(options)}`
    }
    case 'validate': case 'map': case 'reduce': case 'combine': case 'union': case 'total': case 'command':
      return node.kind
    case 'encode': return node.whole ? 'encode for later steps' : 'encode for the program'
    case 'values':
      if (isQuery(node)) return 'rows of a query in SQL'
      return `values in ${node.parts} ${node.parts === 1 ? 'part' : 'parts'}`
    case 'each': return node.op
    case 'sample': return `sample ${node.fraction}`
    case 'partition': return 'mapPartitions'
    case 'key': return node.key === undefined ? 'number' : 'key'
    case 'sampleKeys': return 'sample keys'
    case 'top': case 'limit': return `${node.kind} ${node.count}`
    case 'fold': return 'fold'
    case 'resources': return `resources ${resourcesText(node)}`
    case 'group': return node.flat ? 'flatMap groups' : 'map groups'
    case 'sortedGroup': return node.flat ? 'flatMap sorted groups' : 'map sorted groups'
    case 'ungroup': return 'values of groups'
    case 'regroup': return 'group again'
    case 'join': case 'lookup': return node.kind
    case 'shuffle': return `shuffle ${exchangeOf(node)}${node.partitions === undefined ? '' : ` into ${node.partitions}`}`
    case 'write': {
      const { format, schema: _, ...options } = node.output
      const place = node.path === undefined ? '' : ` ${node.path}`
      return `write ${format}${place}${optionsOf(options)}${node.check === undefined ? '' : ', checked'}`
    }
    default: return unreachable(node)
  }
}

/** Stands for the query of a step (cached.ts). */
const isQuery = ({ digest }: Extract<PlanNode, { kind: 'values' }>): boolean => digest?.startsWith('query ') === true

/** A join is called by its method, such as leftJoin. */
function joinText(node: Extract<PlanNode, { kind: 'join' | 'lookup' }>, name: string): string {
  if (node.kind === 'lookup') return `${name} with a table of its ${node.build} side`
  return node.strategy === undefined ? name : `${name} by ${node.strategy}`
}

/** The way in which a shuffle finds the partition of a pair. */
export function exchangeOf({ ranges, partition }: Extract<PlanNode, { kind: 'shuffle' }>): string {
  return ranges ? 'by ranges of keys' : partition === undefined ? 'by hash of keys' : 'by a function'
}

function optionsOf(options: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return given.length === 0 ? '' : ` (${given.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ')})`
}

export const resourcesText = (
  { cpu, memoryBytes }: { readonly cpu?: number | undefined; readonly memoryBytes?: number | undefined },
): string =>
  [...cpu === undefined ? [] : [cpu === 1 ? 'one slot' : `${cpu} slots`], ...memoryBytes === undefined ? [] : [formatBytes(memoryBytes)]]
    .join(', ')

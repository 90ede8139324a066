// Chooses how joins are done, from the sizes of their inputs as they are known before the job: of the files that a side reads, and of
// values of the program itself. Steps may make more of them; a table that outgrows the memory of a task is kept on its disk.

import type { InputOptions } from '../base/formats.ts'
import { formatBytes, MiB } from '../base/units.ts'
import { broadcastSides, sideOf } from './broadcast.ts'
import { nodesOf, type JoinNode, type JoinSide, type JoinStrategy, type PlanNode, type PlanShape } from './node.ts'
import { aboutFunctions } from './rule.ts'

/** Bytes of the files that a source reads. */
export type SizeOf = (source: { readonly paths?: readonly string[]; readonly options: InputOptions }) => Promise<number>

export interface JoinChoice {
  /** Number of the node. */
  readonly join: number
  readonly strategy: JoinStrategy
  /** The side that is broadcast. */
  readonly side?: JoinSide
  /** Chosen by the submitter, not by the program. */
  readonly isAutomatic: boolean
  /** In one line. */
  readonly why: string
}

interface ChooseOptions {
  readonly isOff: boolean
  /** The run sets the number of partitions. */
  readonly isNumbered: boolean
  readonly sizeOf: SizeOf
}

/** As Spark: every task of the other side reads that much once. */
const broadcastBytesMax = 10 * MiB

export async function chooseJoins({ root, facts }: PlanShape, options: ChooseOptions): Promise<JoinChoice[]> {
  const choices: JoinChoice[] = []
  const sizes = new Map<PlanNode, number | undefined>()
  for (const node of nodesOf(root)) {
    if (node.kind !== 'join' || node.number === undefined) continue
    choices.push({ join: node.number, ...await choose(node, isCross(node, facts), sizes, options) })
  }
  return choices
}

async function choose(
  { how, strategy, inputs }: JoinNode, isCross: boolean, sizes: Map<PlanNode, number | undefined>,
  { isOff, isNumbered, sizeOf }: ChooseOptions,
): Promise<Omit<JoinChoice, 'join'>> {
  if (strategy !== undefined)
    return { strategy, ...strategy === 'broadcast' && { side: sideOf(how)! }, isAutomatic: false, why: 'as the program says' }
  const merge = (why: string): Omit<JoinChoice, 'join'> => ({ strategy: 'merge', isAutomatic: true, why })
  const allowed = broadcastSides(how)
  if (allowed.length === 0) return merge(`no side of a ${how === 'group' ? 'coGroup' : 'full join'} can be broadcast`)
  if (isOff) return merge('the rule broadcast-joins is off')
  if (isNumbered) return merge('the run sets the number of partitions')
  if (!isCross && inputs.some(side => side.kind === 'shuffle' && side.exact)) return merge('the program sets the number of partitions')
  const known = new Map<JoinSide, number | undefined>()
  for (const side of allowed) known.set(side, await bytesOf(inputs[side === 'left' ? 0 : 1], sizes, sizeOf))
  const [smallest] = [...known].filter((each): each is [JoinSide, number] => each[1] !== undefined).sort(([, a], [, b]) => a - b)
  if (!smallest) return merge(`the size of its ${allowed.join(' and its ')} side is not known before the job`)
  const [side, bytes] = smallest
  const size = `its ${side} side reads ${formatBytes(bytes)}`
  return bytes <= broadcastBytesMax
    ? { strategy: 'broadcast', side, isAutomatic: true, why: `${size}, at most ${formatBytes(broadcastBytesMax)}` }
    : merge(`${size}, more than ${formatBytes(broadcastBytesMax)}`)
}

/** True for a join by `cross`: both sides have one key, which depends on nothing. Its one partition is no wish of the program. */
function isCross({ inputs }: JoinNode, facts: PlanShape['facts']): boolean {
  const [left, right] = inputs.map(side => (side.inputs[0]?.kind === 'key' ? side.inputs[0].key : undefined))
  return left !== undefined && right !== undefined && facts?.[left]!.parameters === 0 && aboutFunctions(facts).isSame(left, right)
}

/** Bytes of the sources of a side of a join. Undefined if there is another shuffle, join or product between. */
async function bytesOf(node: PlanNode, sizes: Map<PlanNode, number | undefined>, sizeOf: SizeOf): Promise<number | undefined> {
  let sum = 0
  for (const source of sourcesOf(node)) {
    if (source === undefined) return undefined
    if (!sizes.has(source)) sizes.set(source, await sourceBytes(source, sizeOf))
    const bytes = sizes.get(source)
    if (bytes === undefined) return undefined
    sum += bytes
  }
  return sum
}

async function sourceBytes(source: PlanNode, sizeOf: SizeOf): Promise<number | undefined> {
  if (source.kind === 'values') return source.bytes
  return source.kind === 'read' ? sizeOf({ options: source.options, ...source.paths && { paths: source.paths } }) : undefined
}

/** Sources that narrow steps read; undefined among them if there is another node. */
function * sourcesOf(side: PlanNode): Generator<PlanNode | undefined> {
  const open: PlanNode[] = [...side.inputs.slice(0, 1)]
  for (let node = open.pop(); node; node = open.pop()) {
    switch (node.kind) {
      case 'read': case 'values': yield node; break
      case 'validate': case 'each': case 'sample': case 'partition': case 'key': case 'union': case 'resources':
        open.push(...node.inputs)
        break
      default: yield undefined
    }
  }
}

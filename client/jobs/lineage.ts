// Lineage of an output: versions that it was computed from, and versions that were computed from it, through the jobs between them. Built
// from what each version records; a version that was freed, and an output of which nothing is recorded, is an end of the graph.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import * as protocol from '../../src/protocol/version.ts'
import type { Version, VersionDetail } from '../../src/protocol/version.ts'
import { paged } from '../call/pages.ts'
import type { CallMessage } from '../call/cluster.ts'
import { outputNamed } from '../files/versions.ts'

/** Nodes of one graph. */
const nodesMax = 1000

export interface LineageNode {
  /** `PATH@NUMBER` of an output, path or pattern of other inputs. */
  readonly id: string
  readonly kind: 'output' | 'input'
  readonly path: string
  readonly version?: number
  /** Job that computed the output, with its name and the SHA-256 of its program. */
  readonly job?: string
  readonly name?: string
  readonly program?: string
  readonly madeMs?: number
  readonly user?: string
  /** Files and bytes that were read from an input. */
  readonly files?: number
  readonly bytes?: number
  /** The version was freed or its output removed, or the caller may not read it. */
  readonly missing?: boolean
}

export interface Lineage {
  readonly root: string
  readonly nodes: readonly LineageNode[]
  /** `to` was computed from `from`. */
  readonly edges: ReadonlyArray<{ readonly from: string; readonly to: string }>
  /** There are more nodes than are shown. */
  readonly cut: boolean
}

class Graph {
  readonly nodes = new Map<string, LineageNode>()
  readonly edges = new Map<string, { from: string; to: string }>()
  cut = false

  /** False if the node is known, or there is no room. */
  add(node: LineageNode): boolean {
    if (this.nodes.has(node.id)) return false
    if (this.nodes.size >= nodesMax) {
      this.cut = true
      return false
    }
    this.nodes.set(node.id, node)
    return true
  }

  link(from: string, to: string): void { if (this.nodes.has(from) && this.nodes.has(to)) this.edges.set(`${from}\n${to}`, { from, to }) }
}

const nodeOf = (path: string, { number, job, program, madeMs, user }: Version, name?: string): LineageNode => ({
  id: `${path}@${number}`, kind: 'output', path, version: number, ...job !== undefined && { job }, ...name !== undefined && { name },
  ...program !== undefined && { program }, madeMs, user,
})

/** `asked`: an output, or PATH@VERSION. */
export async function lineageOf(ask: CallMessage, asked: string, signal: AbortSignal | undefined): Promise<Lineage> {
  const { output, version } = await outputNamed(ask, asked, signal)
  const top = await ask(protocol.show, { path: output, ...version !== undefined && { version } }, signal)
  const graph = new Graph()
  const root = nodeOf(output, top.version, top.made.name)
  graph.add(root)
  await upwards(ask, graph, { path: output, detail: top }, signal)
  await downwards(ask, graph, { path: output, version: top.version }, signal)
  return { root: root.id, nodes: [...graph.nodes.values()], edges: [...graph.edges.values()], cut: graph.cut }
}

async function upwards(
  ask: CallMessage, graph: Graph, first: { readonly path: string; readonly detail: VersionDetail }, signal: AbortSignal | undefined,
): Promise<void> {
  const open = [first]
  for (let at = open.pop(); at; at = open.pop()) {
    const { path, detail: { version, made } } = at
    const to = `${path}@${version.number}`
    for (const pin of made.origin?.pins ?? []) {
      const { outputs = [], files, bytes } = pin
      for (const { path: from, version: number } of outputs) {
        const id = `${from}@${number}`
        const detail = await shown(ask, from, String(number), signal)
        const node = detail
          ? { ...nodeOf(from, detail.version, detail.made.name), id, version: number }
          : { id, kind: 'output' as const, path: from, version: number, missing: true }
        if (graph.add(node) && detail) open.push({ path: from, detail: { ...detail, version: { ...detail.version, number } } })
        graph.link(id, to)
      }
      if (outputs.length > 0) continue
      graph.add({ id: pin.path, kind: 'input', path: pin.path, files, bytes })
      graph.link(pin.path, to)
    }
  }
}

async function shown(ask: CallMessage, path: string, version: string, signal: AbortSignal | undefined): Promise<VersionDetail | undefined> {
  try {
    return await ask(protocol.show, { path, version }, signal)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EINVAL')) return undefined
    throw error
  }
}

async function downwards(
  ask: CallMessage, graph: Graph, first: { readonly path: string; readonly version: Version }, signal: AbortSignal | undefined,
): Promise<void> {
  const open = [first]
  for (let at = open.pop(); at; at = open.pop()) {
    const from = `${at.path}@${at.version.number}`
    const page = (after?: InodeId) => ask(protocol.uses, { ids: [at!.version.id], ...after !== undefined && { after } }, signal)
    for await (const { uses } of paged(page)) {
      for (const { path, version } of uses) {
        if (graph.add(nodeOf(path, version))) open.push({ path, version })
        graph.link(from, `${path}@${version.number}`)
      }
    }
  }
}

/** The graph as a Mermaid flowchart. */
export function mermaidOf({ nodes, edges }: Lineage): string {
  const names = new Map(nodes.map(({ id }, i) => [id, `n${i}`]))
  const quoted = (text: string): string => `"${text.replaceAll('"', '#quot;').replaceAll(/[\r\n]/g, ' ')}"`
  const lines = nodes.map(({ id, kind, job }) =>
    `  ${names.get(id)}${kind === 'input' ? `[(${quoted(id)})]` : `[${quoted(job === undefined ? id : `${id} by ${job}`)}]`}`)
  return ['flowchart LR', ...lines, ...edges.map(({ from, to }) => `  ${names.get(from)} --> ${names.get(to)}`)].join('\n')
}

/** Throws EINVAL for a graph that cannot be told in another form, because parts of it are missing. */
export function checkWhole({ cut }: Lineage): void {
  if (cut) throw new GristmillError('EINVAL', `the lineage has more than ${nodesMax} versions; ask for a version nearer to its ends`)
}

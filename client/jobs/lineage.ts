// Lineage of an output: versions that it was computed from, and versions that were computed from it, through the jobs between them. Built
// from what each version records, and from what is noted at an output that was sent outside of the cluster (client/files/sentto.ts). A
// version that was freed, and an output of which nothing is recorded, is an end of the graph.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import { parentOf } from '../../src/base/paths.ts'
import type { InputPin } from '../../src/protocol/job.ts'
import { stat } from '../../src/protocol/namespace.ts'
import * as protocol from '../../src/protocol/version.ts'
import type { Version, VersionDetail } from '../../src/protocol/version.ts'
import { paged } from '../call/pages.ts'
import type { CallMessage } from '../call/cluster.ts'
import { sentFrom, type Sent } from '../files/sentto.ts'
import { outputNamed, versionsOfDirectory } from '../files/versions.ts'
import { findInputs } from './inputs.ts'

/** Nodes of one graph. */
const nodesMax = 1000
/** Files of a directory whose readers are looked for. */
const idsMax = 1000

export interface LineageNode {
  /**
   * `PATH@NUMBER` of an output, by its present path, or the path of then if it is missing; with `#INODE` if that is the name of another
   * version now. Path or pattern of other inputs. Address, without credentials, of a place outside of the cluster from which something was
   * read (`input`), or to which something was sent (`outside`; of a place that is an input too, behind `to `).
   */
  readonly id: string
  readonly kind: 'output' | 'input' | 'outside'
  readonly path: string
  readonly version?: number
  /** Inode of the output's directory. Together with `version` it is the version, whatever its path is. */
  readonly inode?: InodeId
  /** Job that computed the output, with its name and the SHA-256 of its program. */
  readonly job?: string
  readonly name?: string
  readonly program?: string
  readonly madeMs?: number
  readonly user?: string
  /** Files and bytes that were read from an input. */
  readonly files?: number
  readonly bytes?: number
  /** The check of its program has passed the output, or it was published in spite of the check. */
  readonly check?: NonNullable<Version['check']>
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

const nodeOf = (path: string, { id, number, job, program, madeMs, user, check }: Version, name?: string): LineageNode => ({
  id: `${path}@${number}`, kind: 'output', path, version: number, inode: id, ...job !== undefined && { job },
  ...name !== undefined && { name }, ...program !== undefined && { program }, madeMs, user, ...check && { check },
})

/** `asked`: an output, or PATH@VERSION; of another file or directory, what was computed from it. */
export async function lineageOf(ask: CallMessage, asked: string, signal: AbortSignal | undefined): Promise<Lineage> {
  const graph = new Graph()
  const top = await outputAt(ask, asked, signal)
  if (!top) {
    const root = await plainNode(ask, asked, signal)
    graph.add(root.node)
    for (const path of await usersOf(ask, graph, root, signal)) await downwards(ask, graph, path, signal)
    const { id } = await ask(stat, { path: asked }, signal)
    addSent(graph, root.node.id, await sentFrom(ask, [asked], { id }, signal))
    await outwards(ask, graph, root.node.id, signal)
    return wholeOf(graph, root.node)
  }
  const { path, detail: { version, made } } = top
  const root = nodeOf(path, version, made.name)
  graph.add(root)
  await upwards(ask, graph, top, signal)
  await downwards(ask, graph, { path, version }, signal)
  await outwards(ask, graph, root.id, signal)
  return wholeOf(graph, root)
}

const wholeOf = ({ nodes, edges, cut }: Graph, root: LineageNode): Lineage =>
  ({ root: root.id, nodes: [...nodes.values()], edges: [...edges.values()], cut })

/** The output at a path, or to which a file at the path belongs; undefined: no job has published it. Throws ENOENT, EACCES. */
async function outputAt(ask: CallMessage, asked: string, signal: AbortSignal | undefined): Promise<Opened | undefined> {
  const status = await ask(stat, { path: asked }, signal)
  const at = status.type === 'file' ? parentOf(asked) : asked
  const { version: number } = at === asked ? status : await ask(stat, { path: at }, signal)
  if (number === undefined) return undefined
  const { output, version } = await outputNamed(ask, at, signal)
  const detail = await ask(protocol.show, { path: output, ...version !== undefined && { version } }, signal)
  return { path: output, detail }
}

interface Plain { readonly node: LineageNode; readonly ids: InodeId[] }

/** Node of files that no job has published. */
async function plainNode(ask: CallMessage, path: string, signal: AbortSignal | undefined): Promise<Plain> {
  const files = await findInputs(ask, [path], { signal })
  const bytes = files.reduce((sum, { length }) => sum + length, 0)
  return {
    node: { id: path, kind: 'input', path, files: files.length, bytes }, ids: files.slice(0, idsMax).map(({ id }) => id),
  }
}

/** Adds the versions whose jobs have read one of the files, and returns them. */
async function usersOf(
  ask: CallMessage, graph: Graph, { node, ids }: Plain, signal: AbortSignal | undefined,
): Promise<Array<{ readonly path: string; readonly version: Version }>> {
  const found = []
  const page = (after?: InodeId) => ask(protocol.uses, { ids, ...after !== undefined && { after } }, signal)
  for await (const { uses } of paged(page)) {
    for (const { path, version } of uses) {
      const detail = await shown(ask, path, String(version.number), signal)
      if (detail?.version.id !== version.id) continue
      if (graph.add(nodeOf(path, version, detail.made.name))) found.push({ path, version })
      graph.link(node.id, `${path}@${version.number}`)
    }
  }
  return found
}

type Opened = { readonly path: string; readonly detail: VersionDetail }
type PinnedOutput = NonNullable<InputPin['outputs']>[number]

async function upwards(ask: CallMessage, graph: Graph, first: Opened, signal: AbortSignal | undefined): Promise<void> {
  const open = [first]
  for (let at = open.pop(); at; at = open.pop()) {
    const { path, detail: { version, made } } = at
    const to = `${path}@${version.number}`
    for (const { path: at, outside: named = at, outputs = [], files, bytes } of made.origin?.pins ?? []) {
      for (const output of outputs) {
        const found = await pinnedVersion(ask, output, signal)
        const node = found ? nodeOf(found.path, found.detail.version, found.detail.made.name) : await missingNode(ask, output, signal)
        if (graph.add(node) && found) open.push(found)
        graph.link(node.id, to)
      }
      if (outputs.length > 0) continue
      graph.add({ id: named, kind: 'input', path: named, files, bytes })
      graph.link(named, to)
    }
  }
}

/** The version that a job has read, wherever its output is now; undefined if it was freed, or the caller may not read it. */
async function pinnedVersion(
  ask: CallMessage, output: PinnedOutput, signal: AbortSignal | undefined,
): Promise<Opened | undefined> {
  const found = await versionsOfDirectory(ask, output, signal)
  if (!found?.versions.some(({ number }) => number === output.version)) return undefined
  const detail = await shown(ask, found.path, String(output.version), signal)
  return detail?.version.id === output.id ? { path: found.path, detail } : undefined
}

/** Node of a version that is not kept. The name that it had may be that of another version now. */
async function missingNode(
  ask: CallMessage, { path, id: inode, version }: PinnedOutput, signal: AbortSignal | undefined,
): Promise<LineageNode> {
  const id = `${path}@${version}`
  const other = await shown(ask, path, String(version), signal)
  return { id: other ? `${id}#${inode}` : id, kind: 'output', path, version, inode, missing: true }
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
    const { path: from, version: { id, number } } = at
    const page = (after?: InodeId) => ask(protocol.uses, { ids: [id], ...after !== undefined && { after } }, signal)
    for await (const { uses } of paged(page)) {
      for (const { path, version } of uses) {
        const detail = await shown(ask, path, String(version.number), signal)
        // Versions share a directory after a rollback: the number says which of them was read.
        const isUse = detail?.version.id === version.id
          && detail.made.origin?.pins.some(({ outputs = [] }) => outputs.some(each => each.id === id && each.version === number))
        if (!isUse) continue
        if (graph.add(nodeOf(path, version, detail.made.name))) open.push({ path, version })
        graph.link(`${from}@${number}`, `${path}@${version.number}`)
      }
    }
  }
}

/** Adds the places outside of the cluster to which the root was sent, and the versions that were computed from it. */
async function outwards(ask: CallMessage, graph: Graph, root: string, signal: AbortSignal | undefined): Promise<void> {
  const reached = new Set([root])
  for (const id of reached) for (const { from, to } of graph.edges.values()) if (from === id) reached.add(to)
  for (const node of [...reached].map(id => graph.nodes.get(id)!)) {
    const { path, version, inode: id } = node
    if (version === undefined || id === undefined || node.missing) continue
    addSent(graph, node.id, await sentFrom(ask, [`${path}@${version}`, path], { id, version }, signal))
  }
}

function addSent(graph: Graph, from: string, sent: readonly Sent[]): void {
  for (const { url, ms, job, name } of sent) {
    const id = graph.nodes.get(url)?.kind === 'input' ? `to ${url}` : url
    graph.add({ id, kind: 'outside', path: url, madeMs: ms, ...job !== undefined && { job }, ...name !== undefined && { name } })
    graph.link(from, id)
  }
}

/** The graph as a Mermaid flowchart. */
export function mermaidOf({ nodes, edges }: Lineage): string {
  const names = new Map(nodes.map(({ id }, i) => [id, `n${i}`]))
  const quoted = (text: string): string => `"${text.replaceAll('"', '#quot;').replaceAll(/[\r\n]/g, ' ')}"`
  const lines = nodes.map(({ id, kind, job }) => {
    const box = quoted(job === undefined ? id : `${id} by ${job}`)
    return `  ${names.get(id)}${kind === 'output' ? `[${box}]` : `[(${box})]`}`
  })
  return ['flowchart LR', ...lines, ...edges.map(({ from, to }) => `  ${names.get(from)} --> ${names.get(to)}`)].join('\n')
}

/** Throws EINVAL for a graph that cannot be told in another form, because parts of it are missing. */
export function checkWhole({ cut }: Lineage): void {
  if (cut) throw new GristmillError('EINVAL', `the lineage has more than ${nodesMax} versions; ask for a version nearer to its ends`)
}

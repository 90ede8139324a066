// Namespace of a namenode in a few lines: files with blocks on nodes, listed in small pages.

import { GristmillError } from '../../../../src/base/errors.ts'
import { address, blockId, inodeId, nodeId } from '../../../../src/base/ids.ts'
import { nameOf, parentOf } from '../../../../src/base/paths.ts'
import type { CallMessage } from '../../../../client/call/cluster.ts'
import { list, locate, stat, type FileStatus, type LocatedBlock } from '../../../../src/protocol/namespace.ts'

export interface FileShape {
  /** Lengths of its blocks, each with the nodes that hold it: `[[100, 'ab'], [50, 'c']]`. */
  readonly blocks?: ReadonlyArray<readonly [number, string]>
  readonly format?: FileStatus['format']
  readonly aligned?: boolean
  readonly delimiter?: string
  readonly header?: boolean
  readonly blockBytes?: number
}

export interface FakeNamespace { readonly ask: CallMessage; readonly calls: string[] }

export function namespaceOf(files: Readonly<Record<string, FileShape>>): FakeNamespace {
  const entries = new Map<string, FileStatus>()
  const blocks = new Map<string, LocatedBlock[]>()
  const add = (path: string, status: Partial<FileStatus>) => {
    if (path !== '/' && !entries.has(parentOf(path))) add(parentOf(path), { type: 'directory' })
    entries.set(path, {
      path, id: inodeId(entries.size + 1), type: 'file', length: 0, replication: 1, blockBytes: 4096, blocks: 0, format: 'bytes',
      owner: 'ann', group: 'ann', mode: 0o644, mtimeMs: 0, ...status,
    })
  }
  let next = 1
  for (const [path, shape] of Object.entries(files)) {
    let offset = 0
    const located = (shape.blocks ?? []).map(([length, nodes]): LocatedBlock => {
      const block = {
        id: blockId(next++), offset, length, crc: 1, aligned: shape.aligned ?? false, token: 't',
        nodes: [...nodes].map(node => ({ node: nodeId(node), address: address(`${node}:1`), rack: 'r', host: node })),
      }
      offset += length
      return block
    })
    blocks.set(path, located)
    add(path, {
      length: offset, blocks: located.length, format: shape.format ?? 'bytes',
      ...(shape.delimiter !== undefined && { delimiter: shape.delimiter }), ...shape.header !== undefined && { header: shape.header },
      blockBytes: shape.blockBytes ?? 4096,
    })
  }
  const calls: string[] = []
  const find = (path: string) => {
    const found = entries.get(path)
    if (!found) throw new GristmillError('ENOENT', `there is no ${path}`)
    return found
  }
  const ask = async (message: { name: string }, request: Record<string, unknown>) => {
    calls.push(message.name)
    const path = request.path as string
    switch (message.name) {
      case stat.name: return find(path)
      case list.name: {
        if (find(path).type === 'file') return { entries: [find(path)] }
        const after = (request.after ?? '') as string
        const names = [...entries.values()]
          .filter(entry => entry.path !== '/' && parentOf(entry.path) === path && nameOf(entry.path) > after)
          .sort((a, b) => (nameOf(a.path) < nameOf(b.path) ? -1 : 1))
        const page = names.slice(0, 3) // a small page, so that paging is used
        return { entries: page, ...names.length > 3 && { next: nameOf(page.at(-1)!.path) } }
      }
      case locate.name: {
        find(path)
        const all = (blocks.get(path) ?? []).filter(block => block.offset + block.length > (request.offset as number ?? 0))
        const page = all.slice(0, 2)
        return { status: find(path), blocks: page, ...all.length > 2 && { next: all[2]!.offset } }
      }
      default: throw new Error(`no answer to ${message.name}`)
    }
  }
  return { ask: ask as CallMessage, calls }
}

// The blocks of a file and the nodes that hold them, drawn: the file from left to right, a row for each node, and above them one row that
// says which blocks have too few replicas.

import { useCallback, useMemo, useState } from 'preact/hooks'
import type { LocatedBlock } from '../../../../src/protocol/namespace.ts'
import { formatBytes, formatCount, plural, visible } from '../format.ts'
import { blockAt, holdersOf, standOf, type Holder } from '../holders.ts'
import { Drawn, type Drawing } from './canvas.tsx'

interface BlockMapProps {
  readonly blocks: readonly LocatedBlock[]
  /** Blocks of the file, of which `blocks` are the first. */
  readonly of: number
  /** Replicas that the file asks for. */
  readonly target: number
}

const rowPixels = 18
const labelPixels = 150
const seenPixels = 3
/** More rows are no picture; the table has all nodes. */
const rowsMax = 40

const tones = { good: '--good', warn: '--warn', bad: '--bad' } as const

function draw({ pen, width, color }: Drawing, blocks: readonly LocatedBlock[], holders: readonly Holder[], target: number): void {
  const bytes = blocks.reduce((sum, { length }) => sum + length, 0) || 1
  const scale = (width - labelPixels) / bytes
  const from = blocks[0]?.offset ?? 0
  const bar = (i: number, row: number, least = 1): void => {
    const { offset, length } = blocks[i]!
    const wide = length * scale
    // Blocks that are narrower than a pixel run together.
    pen.fillRect(labelPixels + (offset - from) * scale, row * rowPixels + 3, Math.max(least, wide > 4 ? wide - 1 : wide), rowPixels - 6)
  }
  pen.fillStyle = color('--dim')
  pen.fillText('replicas', 0, 13)
  // The worst come last and are wide enough to be seen, so that no neighbour covers them.
  const stands = blocks.map(block => standOf(block, target))
  for (const stand of ['good', 'warn', 'bad'] as const) {
    pen.fillStyle = color(tones[stand])
    stands.forEach((each, i) => { if (each === stand) bar(i, 0, stand === 'good' ? 1 : seenPixels) })
  }
  holders.forEach(({ address, blocks: own }, row) => {
    pen.fillStyle = color('--dim')
    pen.fillText(visible(address).slice(0, 24), 0, (row + 1) * rowPixels + 13, labelPixels - 8)
    pen.fillStyle = color('--busy')
    for (const i of own) bar(i, row + 1)
  })
}

export function BlockMap({ blocks, of, target }: BlockMapProps) {
  const [at, setAt] = useState<number | undefined>(undefined)
  const all = useMemo(() => holdersOf(blocks), [blocks])
  const holders = useMemo(() => all.slice(0, rowsMax), [all])
  const drawBlocks = useCallback((drawing: Drawing) => draw(drawing, blocks, holders, target), [blocks, holders, target])
  const lacking = blocks.filter(({ nodes }) => nodes.length < target).length
  const drawn = of > blocks.length ? `the first ${formatCount(blocks.length)} of ${plural(of, 'block')}` : plural(blocks.length, 'block')
  const told = `${drawn} on ${plural(all.length, 'node')}; `
    + `${formatCount(lacking)} with fewer than ${plural(target, 'replica')}; the table has each of them`
  const find = (x: number, width: number): number | undefined => {
    const part = (x - labelPixels) / (width - labelPixels)
    return part < 0 || part > 1 ? undefined : blockAt(blocks, part)
  }
  const block = at === undefined ? undefined : blocks[at]
  const named = block?.nodes.map(({ address }) => visible(address)).join(', ') || 'no live node'
  const cut = [
    ...(of > blocks.length ? [` Drawn: ${drawn}.`] : []),
    ...(all.length > rowsMax ? [` The first ${rowsMax} of ${formatCount(all.length)} nodes are drawn.`] : []),
  ].join('')
  const caption = block && `Block ${formatCount(at! + 1)}: ${formatBytes(block.length)} on ${named}`
  return (
    <Drawn
      height={(holders.length + 1) * rowPixels}
      draw={drawBlocks}
      told={told}
      caption={caption ?? `Point at a block to see its nodes.${cut}`}
      onPoint={point => setAt(point && find(point.x, point.width))}
    />
  )
}

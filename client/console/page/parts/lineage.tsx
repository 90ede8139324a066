// Lineage of an output or a file: what it was computed from, and what was computed from it, as a graph; and why the output is stale.

import { useMemo } from 'preact/hooks'
import { askFor } from '../api.ts'
import { formatBytes, plural, visible } from '../format.ts'
import { fileUrl } from '../route.ts'
import { Arrow, placeBoxes } from './graph.tsx'
import { Badge } from './small.tsx'
import { Shown, useAsked } from './states.tsx'
import type { Answers } from '../../questions.ts'

type Lineage = Answers['lineage']

/** More boxes are no picture. */
const boxesMax = 150
const [boxWidth, boxHeight] = [230, 58]

export function LineageView({ path, isOutput }: { readonly path: string; readonly isOutput: boolean }) {
  const asked = useAsked(signal => askFor('lineage', { path }, signal), [path])
  return (
    <>
      {isOutput && <Freshness path={path} />}
      <Shown asked={asked} what="the lineage">
        {lineage => <Graph lineage={lineage} />}
      </Shown>
    </>
  )
}

function Freshness({ path }: { readonly path: string }) {
  const asked = useAsked(signal => askFor('why', { path }, signal), [path])
  return (
    <Shown asked={asked} what="whether it is fresh">
      {({ stale, reasons }) =>
        stale ? (
          <div>
            <p>
              <Badge tone="warn">stale</Badge> Its job would compute something else now:
            </p>
            <ul>
              {reasons.map(({ message }, i) => (
                <li key={i}>{visible(message)}</li>
              ))}
            </ul>
          </div>
        ) : (
          <p>
            <Badge tone="good">fresh</Badge> Its inputs are as its job has read them.
          </p>
        )
      }
    </Shown>
  )
}

const short = (text: string, chars: number): string => (text.length > chars ? `…${text.slice(1 - chars)}` : text)

function Graph({ lineage: { root, nodes, edges, cut } }: { readonly lineage: Lineage }) {
  const shown = nodes.slice(0, boxesMax)
  const { boxes, lines, width, height } = useMemo(() => {
    const places = new Map(shown.map(({ id }, i) => [id, i]))
    const sources = shown.map(({ id }) => edges.flatMap(({ from, to }) => (to === id && places.has(from) ? [places.get(from)!] : [])))
    return placeBoxes(sources.map(own => ({ sources: own, width: boxWidth, height: boxHeight })))
  }, [nodes, edges])
  const told = edges.map(({ from, to }) => `${to} from ${from}`).slice(0, 100).join('; ') || 'nothing else is known'
  return (
    <>
      {(cut || nodes.length > boxesMax) && (
        <p class="dim">The first {plural(shown.length, 'file or version', 'files and versions')}; there are more.</p>
      )}
      <div class="graph" tabIndex={0} role="region" aria-label="Graph of the lineage">
        <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="group" aria-label={visible(told)}>
          <Arrow id="lineage-arrow" />
          {lines.map((line, i) => (
            <path key={i} class="edge" d={line} marker-end="url(#lineage-arrow)" />
          ))}
          {shown.map((node, i) => (
            <g
              key={node.id}
              class={`stage${node.id === root ? ' stage-running' : ''}`}
              transform={`translate(${boxes[i]!.x} ${boxes[i]!.y})`}
            >
              <rect width={boxWidth} height={boxHeight} rx="8" />
              <Text node={node} />
            </g>
          ))}
        </svg>
      </div>
    </>
  )
}

/** A pattern, a version that is not kept, and a place outside of the cluster lead nowhere. */
function urlOf({ kind, path, version, missing }: Lineage['nodes'][number]): string | undefined {
  if (missing || kind === 'outside' || /[*?{[]/.test(path)) return undefined
  return fileUrl(kind === 'output' && version !== undefined ? `${path}@${version}` : path)
}

function noteOf({ kind, name, missing, files, bytes }: Lineage['nodes'][number]): string {
  if (missing) return 'not kept'
  if (kind === 'input') return `${plural(files ?? 0, 'file')}, ${formatBytes(bytes ?? 0)}`
  return name ?? (kind === 'outside' ? 'exported' : 'a job')
}

function Text({ node }: { readonly node: Lineage['nodes'][number] }) {
  const { id, job } = node
  const url = urlOf(node)
  const title = (
    <text x="12" y="23" class="stage-name">
      {short(visible(id), 28)}
    </text>
  )
  const note = noteOf(node)
  return (
    <>
      {url === undefined ? title : <a href={url} aria-label={visible(id)}>{title}</a>}
      {job === undefined ? (
        <text x="12" y="43">{short(visible(note), 34)}</text>
      ) : (
        <a href={`/jobs/${job}`} aria-label={`${visible(note)}, job ${job}`}>
          <text x="12" y="43">{short(visible(note), 34)}</text>
        </a>
      )}
    </>
  )
}

// Outline of a plan: its steps as texts, for a person who has to find where two plans of one program differ.

import { nodesOf, type Plan, type PlanNode } from './node.ts'

const arrow = ' → '
/** Characters of an outline. */
const outlineCharsMax = 4_000
/** Fields that are numbers of other things in the plan. */
const numbered: ReadonlySet<string> = new Set(['kind', 'inputs', 'place', 'number', 'fn', 'key', 'value', 'op'])

/** Method and arguments of each node, inputs before their readers. */
export function outlineOf(plan: Plan): string {
  const words = nodesOf(plan.root).map(node => wordOf(node, plan)).filter(word => word !== undefined)
  return words.filter((word, i) => word !== words[i - 1]).join(arrow).slice(0, outlineCharsMax)
}

function wordOf(node: PlanNode, { places }: Plan): string | undefined {
  if (node.kind === 'combine' || node.kind === 'ungroup') return undefined
  if (node.kind === 'write') return node.result ? undefined : `save ${node.path ?? ''}`
  const place = 'place' in node && node.place !== undefined ? places?.[node.place] : undefined
  const name = place?.step ?? node.kind
  const fields = Object.entries(node).filter(([field, value]) => !numbered.has(field) && value !== undefined && typeof value !== 'boolean')
  const given = fields.map(([field, value]) => `${field} ${JSON.stringify(value).slice(0, field === 'digest' ? 9 : 200)}`)
  return given.length === 0 ? name : `${name} (${given.join(', ')})`
}

/** The first parts in which two outlines differ, for a message. */
export function differenceOf(before: string, now: string): string {
  if (before === now) return `was "${shown(before)}", and is now the same with other values or functions`
  let same = 0
  while (same < before.length && before[same] === now[same]) same++
  // From the start of the step that differs.
  const from = Math.max(0, before.lastIndexOf(arrow, same))
  return `was "${shown(before, from)}", and is now "${shown(now, from)}"`
}

const shownMax = 300

function shown(outline: string, from = 0): string {
  const text = outline.slice(from).trim()
  return `${from > 0 ? '… ' : ''}${text.length > shownMax ? `${text.slice(0, shownMax)}…` : text}`
}

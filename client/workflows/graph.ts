// Graph of the datasets that a build considers: those asked for, and those that they are computed from, each day of a dataset as one of its
// own. A dataset follows every other one whose path an input of it leads to: the same path, one above it, one below it, or a match of its
// pattern. Invariant: the nodes are in an order in which each comes after those that it follows.

import { GristmillError } from '../../src/base/errors.ts'
import { nearest } from '../../src/base/nearest.ts'
import { isWithin, namesOf, normalise, parentOf } from '../../src/base/paths.ts'
import { alternatives } from '../glob/braces.ts'
import { isPattern } from '../glob/expand.ts'
import { namePattern, type NamePattern } from '../glob/pattern.ts'
import { showDay } from './day.ts'
import type { DeclaredDataset, Declaration } from './declaration.ts'
import { expandTemplate, type Template } from './template.ts'

/** One dataset, or one day of it. */
export interface Node {
  readonly path: string
  readonly dataset: DeclaredDataset
  readonly input: readonly string[]
  readonly needs: readonly string[]
  readonly params: Readonly<Record<string, unknown>>
  /** Asked for itself, and not only as an input of others. */
  readonly asked: boolean
  readonly after: readonly Node[]
}

type Candidate = Omit<Node, 'asked' | 'after'>

interface Range {
  /** Paths and patterns of datasets; default: all. */
  readonly targets?: readonly string[] | undefined
  /** First and last day of the datasets asked for; those that they need may be of earlier days. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Last day that is over. */
  readonly yesterday: number
}

const nodesMax = 20_000
/** As many inputs are recorded one by one with an output. */
const inputsMax = 900

/** Throws EINVAL for a workflow in a circle, for overlapping datasets, for too many, and for a target that is none. */
export function graphOf(declaration: Declaration, range: Range): Node[] {
  const last = range.to ?? range.yesterday
  const { start } = declaration
  if (start !== undefined && last < start)
    throw new GristmillError('EINVAL', `the workflow begins on ${showDay(start)}, and the last day to build is ${showDay(last)}`)
  if (range.from !== undefined && range.from > last)
    throw new GristmillError('EINVAL', `the first day, ${showDay(range.from)}, is after the last one, ${showDay(last)}`)
  const all = new Candidates(declaration, last)
  const wanted = chosen(all, range)
  if (wanted.length > 0) return ordered(all, wanted)
  throw new GristmillError('EINVAL', 'no dataset that is asked for has a day in the range; gristmill build --dry-run lists all')
}

/** All datasets of the workflow up to its last day, by path. */
class Candidates {
  readonly #declaration: Declaration
  readonly #last: number
  readonly #byPath = new Map<string, { readonly dataset: DeclaredDataset; readonly day: number | undefined }>()
  /** Paths of the datasets below a directory. */
  readonly #below = new Map<string, string[]>()

  constructor(declaration: Declaration, last: number) {
    this.#declaration = declaration
    this.#last = last
    const { datasets, start } = declaration
    for (const dataset of datasets)
      for (const day of dataset.perDay ? days(start!, last) : [undefined]) this.#add(dataset, day)
    for (const path of this.#byPath.keys())
      for (let above = parentOf(path); ; above = parentOf(above)) {
        if (this.#byPath.has(above))
          throw new GristmillError('EINVAL', `the dataset ${path} is within the dataset ${above}; give it another path`)
        const below = this.#below.get(above)
        if (below) below.push(path)
        else this.#below.set(above, [path])
        if (above === '/') break
      }
  }

  get paths(): string[] { return [...this.#byPath.keys()] }

  dayOf(path: string): number | undefined { return this.#byPath.get(path)?.day }

  #add(dataset: DeclaredDataset, day: number | undefined): void {
    const [path] = this.#expand(dataset.path, day)
    const other = this.#byPath.get(path!)
    if (other)
      throw new GristmillError('EINVAL', `the datasets ${other.dataset.path.text} and ${dataset.path.text} have the same path ${path}`)
    if (this.#byPath.size === nodesMax)
      throw new GristmillError('EINVAL', `the workflow has more than ${nodesMax} datasets, counting days; let it start later`)
    this.#byPath.set(path!, { dataset, day })
  }

  #expand(template: Template, day: number | undefined): string[] {
    return expandTemplate(template, { day, start: this.#declaration.start, last: this.#last })
  }

  /** The dataset at a path, without those that it follows. */
  at(path: string): Candidate {
    const { dataset, day } = this.#byPath.get(path)!
    const input = dataset.input.flatMap(template => this.#expand(template, day))
    const needs = [...new Set(dataset.needs.flatMap(template => this.#expand(template, day)).map(need => normalise(need)))]
    if (input.length > inputsMax)
      throw new GristmillError(
        'EINVAL', `${path} would have ${input.length} inputs, the most is ${inputsMax}; name a directory or a pattern`,
      )
    if (needs.length > inputsMax)
      throw new GristmillError('EINVAL', `${path} would need ${needs.length} paths, the most is ${inputsMax}; name a directory`)
    const params = dataset.params({ day, start: this.#declaration.start, last: this.#last })
    return { path, dataset, input, needs, params }
  }

  /** Paths of the datasets that an input leads to. */
  fed(input: string): string[] {
    if (isPattern(input)) return this.matching(input)
    const path = normalise(input)
    const above: string[] = []
    for (let at = path; at !== '/'; at = parentOf(at)) if (this.#byPath.has(at)) above.push(at)
    return [...above, ...this.#below.get(path) ?? []]
  }

  /** Paths of the datasets that a pattern matches, or that are above or below a match. */
  matching(pattern: string, exactly = false): string[] {
    const found = new Set<string>()
    for (const one of alternatives(pattern)) {
      const parts = one.split('/').filter(part => part !== '' && part !== '.').map(part => (part === '**' ? 'deep' : namePattern(part)))
      for (const path of this.#byPath.keys()) if (meets(parts, namesOf(path), exactly)) found.add(path)
    }
    return [...found]
  }
}

/** True if the names match the parts as far as both go, or exactly. `**` may stand for any names. */
function meets(parts: ReadonlyArray<NamePattern | 'deep'>, names: readonly string[], exactly: boolean): boolean {
  const [part, ...rest] = parts
  if (part === undefined || names.length === 0) return exactly ? part === undefined && names.length === 0 : true
  if (part === 'deep') return names.some((_, i) => meets(rest, names.slice(i), exactly)) || !exactly
  return part.matches(names[0]!) && meets(rest, names.slice(1), exactly)
}

const days = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i)

/** Paths of the datasets that are asked for. */
function chosen(all: Candidates, { targets, from, to }: Range): string[] {
  const isInRange = (path: string): boolean => {
    const day = all.dayOf(path)
    return day === undefined || (from === undefined || day >= from) && (to === undefined || day <= to)
  }
  if (!targets) return all.paths.filter(isInRange)
  return targets.flatMap(target => {
    const paths = isPattern(target) ? all.matching(target, true) : all.paths.filter(path => isWithin(path, normalise(target)))
    if (paths.length > 0) return paths.filter(isInRange)
    const near = nearest(normalise(target), all.paths)
    throw new GristmillError(
      'EINVAL',
      `the workflow has no dataset ${target}${near === undefined ? '' : ` (did you mean ${near}?)`}; gristmill build --dry-run lists them`,
    )
  })
}

function ordered(all: Candidates, wanted: readonly string[]): Node[] {
  const done = new Map<string, Node>()
  const order: Node[] = []
  // A stack of its own: a chain of days may be longer than the stack of calls allows.
  const open: Array<{ readonly made: Candidate; readonly follows: readonly string[]; next: number }> = []
  const isOpen = new Set<string>()
  const enter = (path: string): void => {
    const made = all.at(path)
    open.push({ made, follows: [...new Set([...made.input, ...made.needs].flatMap(input => all.fed(input)))], next: 0 })
    isOpen.add(path)
  }
  const asked = new Set(wanted)
  for (const path of asked) {
    if (done.has(path)) continue
    enter(path)
    for (let top = open.at(-1); top; top = open.at(-1)) {
      const next = top.follows[top.next++]
      if (next === undefined) {
        const node: Node = { ...top.made, asked: asked.has(top.made.path), after: top.follows.map(each => done.get(each)!) }
        done.set(node.path, node)
        order.push(node)
        isOpen.delete(node.path)
        open.pop()
      } else if (isOpen.has(next)) {
        const circle = [...open.map(({ made }) => made.path).slice(open.findIndex(({ made }) => made.path === next)), next]
        throw new GristmillError(
          'EINVAL',
          circle.length === 2
            ? `the dataset ${next} is an input of itself`
            : `the datasets depend on each other in a circle: ${circle.join(' ← ')}`,
        )
      } else if (!done.has(next)) {
        enter(next)
      }
    }
  }
  return order
}

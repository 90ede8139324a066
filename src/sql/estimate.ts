// Estimated sizes of joins. The values of two keys that have to be equal come from one domain, which has as many values as the side with
// the fewest of them: a foreign key has the values of the table that it refers to. Keys that are equal by several conditions have one
// domain. Of a key without statistics only an integer is taken for one that tells the rows of its table apart; texts and dates are often
// categories, and two large tables that are joined by categories give their product.

import type { Expression } from './expression.ts'
import type { HashKey, Rows, Stages } from './fragment.ts'
import type { JoinCondition } from './relation.ts'

export const isEqual = ({ comparison }: Pick<JoinCondition, 'comparison'>): boolean =>
  comparison === '=' || comparison === 'IS NOT DISTINCT FROM'

/** Values of a key that is no integer, in a table of up to a million rows: as many as a table of a few names has rows. */
const categoriesMin = 1000

/** Distinct values of a key: rows before conditions were applied, or what is known about its column. */
export function distinctOf({ columns, type }: Pick<HashKey, 'columns' | 'type'>, { base }: Pick<Rows, 'base'>, stages: Stages): number {
  const known = [...columns].map(name => stages.distinct.get(name))
  const most = known.reduce<number>((product, each) => product * (each ?? Infinity), 1)
  const guess = most < Infinity || /INT(?!ERVAL)|UUID/.test(type) ? base : Math.min(base, Math.max(categoriesMin, Math.sqrt(base)))
  return Math.max(1, Math.min(guess, most))
}

/** Domains of the keys of several conditions. */
export class KeyDomains {
  readonly #parents = new Map<string, string>()
  readonly #sizes = new Map<string, number>()

  /** The sizes are those of the two sides. */
  add(left: Expression, right: Expression, sizes: { readonly left: number; readonly right: number }): void {
    const [a, b] = [this.#root(left.sql), this.#root(right.sql)]
    const size = Math.min(this.#sizes.get(a) ?? Infinity, this.#sizes.get(b) ?? Infinity, sizes.left, sizes.right)
    if (a !== b) this.#parents.set(a, b)
    this.#sizes.set(b, size)
  }

  sizeOf({ left }: JoinCondition): number {
    return this.#sizes.get(this.#root(left.sql)) ?? 1
  }

  #root(key: string): string {
    let root = key
    for (let next = this.#parents.get(root); next !== undefined; next = this.#parents.get(root)) root = next
    return root
  }
}

/**
 * Rows of an inner join by keys of these domains. The first key counts fully; each further one only by its root, because the columns of
 * a composed key depend on one another.
 */
export function joinedRows(left: number, right: number, domains: readonly number[]): number {
  const sorted = [...domains].sort((a, b) => b - a)
  const share = sorted.reduce((product, domain, i) => product / Math.max(1, domain) ** (1 / 2 ** i), 1)
  return left * right * share
}

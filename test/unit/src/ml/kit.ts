// Runs whole programs over Datasets in this process: their steps one after the other by the engine of the operator tests, cached Datasets
// among them. For tests of what is computed in several steps.

import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import { planBy } from '../../../../src/plan/choices.ts'
import { planDataflow } from '../../../../src/plan/dataflow.ts'
import { ProgramRun } from '../../../../src/plan/programrun.ts'
import { program } from '../../../../src/program/dataflow.ts'
import type { Dataset } from '../../../../src/program/dataset.ts'
import type { Sources } from '../../../../src/program/sources.ts'
import { valueOfLine } from '../../../../src/shuffle/lines.ts'
import { allRules, runPlan } from '../operator/engine.ts'

interface Shape {
  /** Files that the rows lie in: each is a task. */
  readonly splits: number
  /** Partitions of shuffles. */
  readonly partitions: number
  /** The rows in the order that they have, or in the opposite one. */
  readonly isReversed?: boolean
}

/** Divisions of the same rows that must not change a result. */
const shapes: readonly Shape[] = [{ splits: 1, partitions: 1 }, { splits: 5, partitions: 3, isReversed: true }]

interface Saved { readonly path: string; readonly values: unknown[] }

/** What the function returns when it is run over the rows, which a Dataset holds in this shape. `saved`: what it has saved, by path. */
export async function fitted<T, R>(
  rows: readonly T[], work: (data: Dataset<T>, mill: Sources) => Promise<R>, shape: Shape = shapes[0]!, saved: Saved[] = [],
): Promise<R> {
  const inOrder = shape.isReversed ? rows.toReversed() : rows
  const size = Math.ceil(inOrder.length / shape.splits)
  const files: Record<string, ReadonlyArray<readonly unknown[]>> = {
    '/rows': Array.from({ length: shape.splits }, (_, i) => inOrder.slice(i * size, (i + 1) * size)),
  }
  let result: R | undefined
  const run = new ProgramRun({
    dataflow: program(async mill => { result = await work(mill.jsonl('/rows') as Dataset<T>, mill) }), params: {}, seed: 1, nowMs: 0,
    rest: () => setImmediate(),
  })
  run.start()
  for (let number = 1; ; number++) {
    const step = await Promise.race([run.reached(number), run.ended.then(() => undefined)])
    if (!step) break
    try {
      const parts = (await runPlan(planBy(planDataflow(step.root), { rules: allRules }), { files, partitions: shape.partitions }))
        .map(part => part.map(([key, value]) => (key === null ? value : [key, value])))
      const path = step.root['path'] as string | undefined
      if (path !== undefined) {
        saved.push({ path, values: parts.flat() })
        files[path] = parts
      } else if (step.method === 'cache') files[`/.gristmill/cache/${number}`] = parts
      const values = step.root['result'] === true && step.method !== 'cache' ? parts.flat().map(line => valueOfLine(line as string)) : []
      await run.deliver(number, { values: step.first === undefined ? values : values.slice(0, step.first) })
    } catch (error) {
      await run.deliver(number, { error: error as Error })
    }
  }
  await run.ended
  return result as R
}

/** The result, which must be the same to the last bit in all shapes. */
export async function fittedAlike<T, R>(rows: readonly T[], work: (data: Dataset<T>, mill: Sources) => Promise<R>): Promise<R> {
  const first = await fitted(rows, work)
  for (const shape of shapes.slice(1)) expect(await fitted(rows, work, shape)).toEqual(first)
  return first
}

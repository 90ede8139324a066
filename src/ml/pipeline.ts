// Pipelines of transformers and a model: fitted one after the other, each to rows that those before it have changed; and fitted objects as
// files of the cluster.

import type { Dataset } from '../program/dataset.ts'
import type { Sources } from '../program/sources.ts'
import { checkFitted, transform, type AnyFitted, type Pipeline } from './apply.ts'
import type { Estimator, Fitted } from './fitted.ts'

/** `pipeline(oneHot({ … }), logisticRegression({ … }))` is fitted as one estimator, and applies as one fitted object. */
export function pipeline(...estimators: ReadonlyArray<Estimator<AnyFitted>>): Estimator<Pipeline> {
  for (const each of estimators as readonly unknown[])
    if (typeof (each as Estimator<Fitted> | null)?.fit !== 'function') throw new TypeError('pipeline takes estimators, such as oneHot({ … }) and linearRegression({ … })')
  if (estimators.length === 0) throw new TypeError('pipeline takes at least one estimator')
  return {
    kind: 'pipeline',
    async fit(rows) {
      const stages: AnyFitted[] = []
      let changed: Dataset<any> = rows
      for (const [i, estimator] of estimators.entries()) {
        const fitted = await estimator.fit(changed)
        stages.push(fitted)
        if (i + 1 < estimators.length) changed = transform(fitted, changed)
      }
      return { kind: 'pipeline', version: 1, stages }
    },
  }
}

/** Publishes a fitted object as a file of JSON in a new directory; its lineage leads to the rows that it was fitted to. */
export async function saveModel(mill: Sources, fitted: AnyFitted, path: string): Promise<void> {
  checkFitted(fitted)
  await mill.from([fitted]).save(path, { format: 'jsonl' })
}

/** Reads what `saveModel` has saved. */
export async function loadModel<F extends AnyFitted = AnyFitted>(mill: Sources, path: string): Promise<F> {
  const found = await mill.jsonl(path).take(2)
  if (found.length !== 1) throw new TypeError(`${path} is no saved model: it has ${found.length === 0 ? 'no row' : 'more than one row'}`)
  const [fitted] = found
  checkFitted(fitted)
  return fitted as F
}

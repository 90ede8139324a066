// Explains a program of the local disk: bundles and loads it as `run` does, and sends nothing.

import { isAbsolute, join } from 'node:path'
import { formatBytes } from '../../src/base/units.ts'
import { readable } from '../call/arguments.ts'
import { builtinFile, inBuiltinWords, isBuiltin } from './builtins.ts'
import { loadLocal } from './compile.ts'
import { checkedEnvironment } from './environment.ts'
import { explain, type Explanation } from './explain.ts'
import { headOf, sizesOf, stagesOver } from './launch.ts'
import { layOut } from './layout.ts'
import { givenParams, listOf, pathsOf, type RunOptions } from './options.ts'
import type { RunTools } from './run.ts'
import { splitInputs } from './splits.ts'

/** Explains the first step of a program of several steps, because the others depend on its result. Throws as `runProgram` does. */
export async function explainProgram(tools: RunTools, file: string, options: RunOptions): Promise<Explanation> {
  const { cluster, files } = tools
  const { clock, random } = cluster
  const { signal, reducers: partitions, partitionBytes, withoutRules, memoryBytes, onOutput } = options
  const loaded = await inBuiltinWords(file, loadLocal({ ...tools, clock, random }, {
    local: isBuiltin(file) ? builtinFile(file) : isAbsolute(file) ? file : join(tools.workingDirectory, file),
    params: givenParams(file, options), paths: pathsOf(options), env: readable('env', () => checkedEnvironment(options.env ?? {})),
    memoryBytes, seed: options.seed ?? 0, nowMs: clock.now(), signal, onOutput, stored: undefined,
  }, () => undefined))
  const { first, bundle } = loaded
  try {
    const planned = 'step' in first ? first.step.planned : first.planned
    const input = planned.ownPaths ? planned.input : listOf(options.input ?? planned.input)
    const laid = await layOut(planned.plan, {
      partitions, partitionBytes, withoutRules, sizeOf: ({ paths = input }) => sizesOf(cluster, signal)(paths),
    })
    const stages = stagesOver(laid.stages, planned, options, { name: bundle.name, isResult: false })
    return await explain({ ...laid, stages }, {
      partitions, partitionBytes, formatBytes, goesOn: 'step' in first && (await loaded.peek()).goesOn,
      splitsOf: ({ paths = input, options: own }) => splitInputs(cluster.ask, paths, { input: own, head: headOf(files), signal }),
    })
  } finally {
    if ('step' in first) void first.loading.end()
  }
}

// What is left behind when a test's own process is killed: processes, some of them stopped, mounts, and directories. A small shell
// waits for the end of its input, which comes with the end of this process however that ends, and then ends and removes what it was
// told of. A mount goes before its directory does, and lazily: whoever still looks into it does not keep it.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import { childrenOf, killAll } from './children.ts'

/** One word and one operand a line. Ids of processes that have ended are forgotten, for they are used again. */
const script = `
pids=; dirs=; mounts=
PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
while read -r word what; do
  case $word in
    run) pids="$pids $what ";;
    end) pids=$(printf %s "$pids" | sed "s/ $what / /");;
    dir) dirs="$dirs
$what";;
    mount) mounts="$mounts
$what";;
  esac
done
all=
for pid in $pids; do all="$all $pid $(cat "/proc/$pid/task/$pid/children" 2>/dev/null)"; done
for pid in $all; do kill -KILL "$pid" 2>/dev/null; done
sleep 0.2
printf '%s\\n' "$mounts" | while read -r dir; do [ -n "$dir" ] && umount --lazy -- "$dir" 2>/dev/null; done
# Executors whose server ended first end soon after it, and may still keep their compiled code.
for time in 1 2 3 4 5 6; do
  printf '%s\\n' "$dirs" | while read -r dir; do [ -n "$dir" ] && rm -rf -- "$dir"; done
  sleep 0.5
done
`

let shell: ChildProcess | undefined
const processes = new Set<number>()
const directories = new Set<string>()
const mounts = new Set<string>()

function tell(line: string): void {
  if (!shell) {
    // A group of its own: Ctrl-C at the terminal, which ends the test, must not end this one before its work.
    shell = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    shell.on('error', () => {})
    shell.stdin!.on('error', () => {})
    shell.unref();
    (shell.stdin as unknown as { unref(): void }).unref()
    process.once('exit', endAll)
  }
  shell.stdin!.write(`${line}\n`)
}

/** In good time, where this process ends by itself: a test that failed before it could stop its cluster. */
function endAll(): void {
  killAll([...processes].flatMap(pid => [pid, ...childrenOf(pid)]))
  for (const dir of mounts) spawnSync('umount', ['--lazy', '--', dir], { stdio: 'ignore' })
  for (const dir of directories) rmSync(dir, { recursive: true, force: true, maxRetries: 3 })
}

export function watchProcess(child: ChildProcess): void {
  const { pid } = child
  if (pid === undefined) return
  processes.add(pid)
  tell(`run ${pid}`)
  child.once('exit', () => {
    processes.delete(pid)
    tell(`end ${pid}`)
  })
}

/** The directory is removed with everything in it, or the file; until `forgetDirectory`. */
export function watchDirectory(dir: string): void {
  directories.add(dir)
  tell(`dir ${dir}`)
}

/** It has been removed already. */
export function forgetDirectory(dir: string): void { directories.delete(dir) }

/** Something is, or is about to be, mounted there; until `forgetMount`. */
export function watchMount(dir: string): void {
  if (mounts.has(dir)) return
  mounts.add(dir)
  tell(`mount ${dir}`)
}

/** It has been unmounted for good. */
export function forgetMount(dir: string): void { mounts.delete(dir) }

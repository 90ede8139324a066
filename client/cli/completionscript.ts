// Completion scripts for bash, zsh and fish, generated from the specifications of the commands: commands, verbs, options and their values.
// Names of the cluster are asked for while a word is typed, with `gristmill completion --list`. Pure.

import { logLevels } from '../../src/ports/log.ts'
import { builtins } from '../jobs/builtins.ts'
import { topicNames } from './help/topics.ts'
import { choicesOf, flagsOf, isValued, type CommandSpec, type OptionSpec } from './spec.ts'

export interface Words {
  readonly commands: readonly CommandSpec[]
  readonly globals: readonly OptionSpec[]
}

export const shells = ['bash', 'zsh', 'fish'] as const

export function completionScript(shell: (typeof shells)[number], words: Words): string {
  if (shell === 'fish') return fish(words)
  return shell === 'bash' ? bash(words) : `#compdef gristmill\nautoload -U +X bashcompinit && bashcompinit\n${bash(words)}`
}

/** The values of an operand or option: local files, names of the cluster, or these words. */
interface Values {
  readonly kinds: ReadonlySet<'files' | 'paths' | 'jobs' | 'nodes'>
  readonly words: readonly string[]
}

const operandKinds: Readonly<Record<string, 'files' | 'paths' | 'jobs' | 'nodes'>> = {
  path: 'paths', from: 'paths', to: 'paths', remote: 'paths', local: 'files', directory: 'files', program: 'files',
  id: 'jobs', node: 'nodes',
}

function operandsOf({ args }: CommandSpec): Values {
  const names = [...args.matchAll(/[<[]([a-z]+)/g)].map(match => match[1]!)
  return {
    kinds: new Set(names.flatMap(name => operandKinds[name] ?? [])),
    words: [
      ...names.includes('program') ? builtins.map(({ name }) => `gristmill:${name}`) : [],
      ...names.includes('shell') ? shells : [], ...names.includes('level') ? logLevels : [],
    ],
  }
}

/** Options whose path is one of the cluster. */
const clusterPaths = new Set(['--input', '--output', '--to', '--newer'])

/** Values with a meaning of their own, beside others. */
const knownValues: Readonly<Record<string, readonly string[]>> = { '--cluster': ['embedded'], '--server': ['namenode'] }

/** Options that select the cluster whose names are completed: they are given to the command that lists them. */
const selecting: readonly string[] = ['--cluster', '--home', '--config', '--secret-file']

/** undefined: the option takes no value. */
function valuesOf(option: OptionSpec): Values | undefined {
  if (!isValued(option)) return undefined
  const isPath = /<(?:path|file|directory)>/.test(option.flags)
  const kind = flagsOf(option).some(flag => clusterPaths.has(flag)) ? 'paths' : 'files'
  const kinds: Values['kinds'] = new Set(isPath ? [kind] : /<(?:server|node)>/.test(option.flags) ? ['nodes'] : [])
  return { kinds, words: [...choicesOf(option), ...flagsOf(option).flatMap(flag => knownValues[flag] ?? [])] }
}

const visible = ({ options }: CommandSpec): OptionSpec[] => options.filter(({ hidden }) => !hidden)

/** Each command and verb with the words that name it. */
const allOf = (commands: readonly CommandSpec[]): [path: string, spec: CommandSpec][] =>
  commands.flatMap(spec => [[spec.name, spec] as [string, CommandSpec],
    ...(spec.verbs ?? []).map((verb): [string, CommandSpec] => [`${spec.name} ${verb.name}`, verb])])

function bash({ commands, globals }: Words): string {
  const global = globals.flatMap(flagsOf).concat('--help')
  const verbsOf = commands.filter(({ verbs }) => verbs)
    .map(({ name, verbs }) => `    ${name}) verbs="${verbs!.map(verb => verb.name).join(' ')}" ;;`)
  const all = allOf(commands)
  const cases = all.map(([path, spec]) => {
    const { kinds, words } = operandsOf(spec)
    const flags = [...visible(spec).flatMap(flagsOf), ...global].join(' ')
    return `    "${path}") flags="${flags}" kinds="${[...kinds].join(' ')}" words="${words.join(' ')}" ;;`
  })
  const valued = [['*', globals] as const, ...all.map(([path, spec]) => [`"${path}"`, visible(spec)] as const)].flatMap(([path, options]) =>
    options.flatMap(option => {
      const values = valuesOf(option)
      if (!values) return []
      const patterns = flagsOf(option).map(flag => `${path}" ${flag}"`).join('|')
      return `    ${patterns}) option=1 kinds="${[...values.kinds].join(' ')}" words="${values.words.join(' ')}" ;;`
    }))
  return bashScript({
    verbs: verbsOf, cases, valued, taking: globals.filter(isValued).flatMap(flagsOf),
    first: [...commands.map(({ name }) => name), 'help', ...global],
  })
}

interface BashParts {
  readonly verbs: readonly string[]
  readonly cases: readonly string[]
  readonly valued: readonly string[]
  /** Options of every command that take a value, which is no command. */
  readonly taking: readonly string[]
  readonly first: readonly string[]
}

/** Puts the options of the line that select a cluster into `selected`, or sets `unknown`. */
const selection = `  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in ${selecting.join('|')})
      next=$((i + 1)); [ "\${COMP_WORDS[next]}" = = ] && next=$((next + 1))
      word=\${COMP_WORDS[next]}
      while [ "\${COMP_WORDS[next+1]}" = : ]; do word=$word:\${COMP_WORDS[next+2]} next=$((next + 2)); done
      # The value of a variable is not known here, and names of another cluster are worse than none. Single quotes have no variables.
      if [[ $word =~ $literal ]]; then word=\${word#\\'} word=\${word%\\'}
      else
        case $word in *['$\`']*) unknown=1 ;; esac
        word=\${word//\\\\/} word=\${word#\\"} word=\${word%\\"} word=\${word/#'~/'/$HOME/}
      fi
      [ "$next" -lt "$COMP_CWORD" ] && selected+=("\${COMP_WORDS[i]}" "$word") ;;
    esac
  done
`

/** Puts the opening quote of the current word into `quote`, and into `open` if the word has no closing one. */
const opening = `  # A word in quotes: bash replaces the text behind the opening quote, and keeps that one.
  case $current in [\\"\\']*) quote=\${current:0:1} current=\${current:1} ;; esac
  if [[ -n $quote && $current == *"$quote" ]]; then current=\${current%"$quote"}; else open=$quote; fi
`

const bashScript = ({ verbs, cases, valued, taking, first }: BashParts): string => `_gristmill() {
  local current=\${COMP_WORDS[COMP_CWORD]} flags="" command="" verbs="" verb="" word i kinds="" words="" option="" kind colon="" helped=""
  local selected=() next unknown="" quote="" open="" typed literal="^'[^']*'$"
  local run=("\${_gristmill_run[@]:-gristmill}")
${opening}  # bash divides words without quotes at colons, as in gristmill:sort and in addresses.
  word=\${COMP_LINE:0:COMP_POINT}; word=\${word##*[[:space:]]}
  if [[ -z $quote && $word == *:* && $COMP_WORDBREAKS == *:* ]]; then current=$word colon=\${word%"\${word##*:}"}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [ -z "$command" ]; then
      # Also the parts of a value with a colon.
      case \${COMP_WORDS[i-1]} in ${taking.join('|')}|:|=) continue ;; esac
      case $word in -*|:|=) continue ;; help) helped=1; continue ;; esac
      command=$word
      case $command in
${verbs.join('\n')}
      esac
    elif [ -n "$word" ] && [ -z "$verb" ] && [[ " $verbs " == *" $word "* ]]; then
      verb=$word
    fi
  done
${selection}  COMPREPLY=()
  if [ -z "$command" ]; then
    words="${first.join(' ')}"
    [ -n "$helped" ] && words="$words ${topicNames.join(' ')}"
  else
    case "$command\${verb:+ $verb}" in
${cases.join('\n')}
    esac
  fi
  case "$command\${verb:+ $verb} \${COMP_WORDS[COMP_CWORD-1]}" in
${valued.join('\n')}
  esac
  if [ -n "$command" ]; then
    if [ -z "$option" ] && [[ $current == -* ]]; then words=$flags kinds=""
    elif [ -z "$option" ] && [ -n "$verbs" ] && [ -z "$verb" ]; then words="$verbs $words"
    fi
  fi
  # A backslash in single quotes is part of the name.
  typed=$current; [ "$quote" = "'" ] || typed=\${typed//\\\\/}
  local IFS=$'\\n' globs=""
  # Names are not patterns of local files.
  [[ $- == *f* ]] || globs=1; set -f
  for word in \${words// /$IFS}; do [[ $word == "$current"* ]] && COMPREPLY+=("$word"); done
  for kind in \${kinds// /$IFS}; do
    case $kind in
      files) COMPREPLY+=($(compgen -f -- "$current")) ;;
      *) [ -n "$unknown" ] || COMPREPLY+=($("\${run[@]}" "\${selected[@]}" completion --list "$kind" -- "$typed" 2>/dev/null)) ;;
    esac
  done
  [ -n "$globs" ] && set +f
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null
  # Behind the only match bash closes the quote, except behind a local directory; behind the common part of two it does not.
  [[ -n $open && -z \${ZSH_VERSION:-} && \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == */ ]] && COMPREPLY+=("\${COMPREPLY[0]}...")
  [ -n "$colon" ] && COMPREPLY=("\${COMPREPLY[@]#"$colon"}")
  return 0
}
complete -o filenames -F _gristmill gristmill
# npx gristmill, npx --no gristmill: nothing is installed while a word is typed.
_gristmill_npx() {
  local at=1
  while [[ \${COMP_WORDS[at]} == -* ]]; do at=$((at + 1)); done
  [ "\${COMP_WORDS[at]}" = gristmill ] && [ "$COMP_CWORD" -gt "$at" ] || return
  COMP_WORDS=("\${COMP_WORDS[@]:at}"); COMP_CWORD=$((COMP_CWORD - at))
  local _gristmill_run=(npx --no gristmill)
  _gristmill
}
complete -o filenames -o default -F _gristmill_npx npx
`

const quoted = (text: string): string => `'${text.replaceAll(`'`, `'\\''`)}'`

/** True if the first words of the line that are no options are these; with -x, if there are no more of them. */
const fishAt = `function __gristmill_at
    set -l exact (test "$argv[1]" = -x; and echo yes)
    set -q exact[1]; and set -e argv[1]
    set -l named
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or set -a named $word
    end
    set -q named[(count $argv)]; or return 1
    set -q exact[1]; and test (count $named) -ne (count $argv); and return 1
    test "$named[1..(count $argv)]" = "$argv"
end
function __gristmill_list
    set -l selected
    set -l option
    for word in (commandline -opc)[2..-1]
        if set -q option[1]
            # The value of a variable is not known here, and names of another cluster are worse than none.
            string match -q -- '*$*' $word; and return
            set -a selected $option (string replace -r -- '^~/' "$HOME/" $word)
            set -e option
        else if contains -- $word ${selecting.join(' ')}
            set option $word
        else if string match -qr -- '^(${selecting.join('|')})=' $word
            set -a selected $word
        end
    end
    gristmill $selected completion --list $argv[1] -- (commandline -ct) 2>/dev/null
end`

/** Arguments of fish's `complete` for these values. */
function fishValues({ kinds, words }: Values): string[] {
  const lists = [...kinds].filter(kind => kind !== 'files').map(kind => `(__gristmill_list ${kind})`)
  if (lists.length === 0 && words.length === 0) return []
  return [`${kinds.has('files') ? '' : '-f '}-a ${quoted([...words, ...lists].join(' '))}`]
}

function fish({ commands, globals }: Words): string {
  const line = (condition: string, option: OptionSpec): string => {
    const flags = flagsOf(option).map(flag => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ')
    const values = valuesOf(option)
    const more = values ? [' -r', ...fishValues(values).map(text => ` ${text}`)].join('') : ''
    return `complete -c gristmill ${condition}${flags}${more} -d ${quoted(option.about)}`
  }
  const linesOf = (path: string, spec: CommandSpec): string[] => [
    ...visible(spec).map(option => line(`-n '__gristmill_at ${path}' `, option)),
    ...fishValues(operandsOf(spec)).map(values => `complete -c gristmill -n '__gristmill_at ${path}' ${values}`),
  ]
  return [
    fishAt,
    ...commands.map(spec => `complete -c gristmill -n __fish_use_subcommand -a ${spec.name} -d ${quoted(spec.about)}`),
    `complete -c gristmill -n '__gristmill_at -x help' -f -a ${quoted([...commands.map(({ name }) => name), ...topicNames].join(' '))}`,
    ...globals.map(option => line('', option)),
    ...commands.flatMap(({ name, verbs = [] }) =>
      verbs.map(verb => `complete -c gristmill -n '__gristmill_at -x ${name}' -a ${verb.name} -d ${quoted(verb.about)}`)),
    ...allOf(commands).flatMap(([path, spec]) => linesOf(path, spec)),
    '',
  ].join('\n')
}

// Views of one thing, one at a time; the address says which one is shown.

import { route, setQuery } from '../route.ts'

/** The view that the address names, or the first one. */
export function viewOf<Name extends string>(views: ReadonlyArray<readonly [Name, string]>, name = 'show'): Name {
  const wanted = route.value.query.get(name)
  return (views.find(([own]) => own === wanted) ?? views[0]!)[0]
}

export function Views<Name extends string>({
  label,
  views,
  name = 'show',
}: {
  readonly label: string
  readonly views: ReadonlyArray<readonly [Name, string]>
  /** Name of the parameter in the address; default: show. */
  readonly name?: string
}) {
  const shown = viewOf(views, name)
  return (
    <div class="switch" role="group" aria-label={label}>
      {views.map(([own, title], i) => (
        <button key={own} type="button" aria-pressed={shown === own} onClick={() => setQuery({ [name]: i === 0 ? '' : own })}>
          {title}
        </button>
      ))}
    </div>
  )
}

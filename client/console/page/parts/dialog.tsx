// Questions before a change, and what became of it. One dialog at a time, in the browser's own modal element, which keeps the focus inside.

import { signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { visibleLines } from '../format.ts'

interface Question {
  readonly title: string
  readonly text: string
  /** Word on the button that does it. */
  readonly action: string
  readonly danger?: boolean
  /** Asks for a text, with this one to begin with. */
  readonly input?: { readonly label: string; readonly value: string }
  /** Values to be copied. */
  readonly values?: readonly (readonly [label: string, value: string])[]
  /** Resolves with what to say, or with the dialog that comes next. */
  readonly run: (text: string) => Promise<string | Question | undefined>
  /** Called when the dialog is closed, whatever the answer. */
  readonly closed?: () => void
}

interface Open extends Question {
  readonly busy?: boolean
  readonly error?: string
}

const question = signal<Open | undefined>(undefined)
const note = signal<{ readonly text: string; readonly bad?: boolean } | undefined>(undefined)
let noteTimer = 0

/** Shows the dialog in place of one that is open. */
export const ask = (wanted: Question): void => {
  question.value = wanted
}

export function tell(text: string, bad = false): void {
  note.value = { text, bad }
  clearTimeout(noteTimer)
  noteTimer = setTimeout(
    () => {
      note.value = undefined
    },
    bad ? 15_000 : 5_000,
  ) as unknown as number
}

/** `close` closes the element, which gives the focus back to what had it; one that is only removed leaves it nowhere. */
async function answer(open: Open, text: string, close: () => void): Promise<void> {
  const busy = { ...open, busy: true, error: '' }
  question.value = busy
  // Escape may have closed it meanwhile.
  const isOpen = (): boolean => question.value === busy
  try {
    const next = await open.run(text)
    if (typeof next === 'object') question.value = next
    else if (isOpen()) close()
    if (typeof next === 'string') tell(next)
  } catch (error) {
    const { message } = error as Error
    if (isOpen()) question.value = { ...open, busy: false, error: message }
    else tell(message, true)
  }
}

export function Dialogs() {
  return (
    <>
      {question.value && <Dialog open={question.value} />}
      <div class="notes" role="status" aria-live="polite">
        {note.value && <div class={note.value.bad ? 'note note-bad' : 'note'}>{visibleLines(note.value.text)}</div>}
      </div>
    </>
  )
}

function Dialog({ open }: { readonly open: Open }) {
  const element = useRef<HTMLDialogElement>(null)
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => {
    element.current?.showModal()
    input.current?.select()
  }, [])
  const { title, text, action, danger, values, busy, error } = open
  return (
    <dialog
      ref={element}
      aria-labelledby="dialog-title"
      onClose={() => {
        question.value = undefined
        open.closed?.()
      }}
    >
      <form
        onSubmit={event => {
          event.preventDefault()
          void answer(open, input.current?.value ?? '', () => element.current?.close())
        }}
      >
        <h2 id="dialog-title">{title}</h2>
        <p>{text}</p>
        {open.input && (
          <label>
            {open.input.label}
            <input ref={input} defaultValue={open.input.value} required autocomplete="off" spellcheck={false} />
          </label>
        )}
        {values?.map(([label, value]) => (
          <label key={label}>
            {label}
            <input class="mono" readOnly value={value} onFocus={event => event.currentTarget.select()} />
          </label>
        ))}
        {error !== undefined && error !== '' && (
          <p class="bad" role="alert">
            {visibleLines(error)}
          </p>
        )}
        <div class="buttons">
          {!values && (
            <button type="button" onClick={() => element.current?.close()}>
              Cancel
            </button>
          )}
          <button type="submit" class={danger ? 'danger' : 'primary'} disabled={busy}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  )
}

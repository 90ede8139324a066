// Copies a text to the clipboard, also where a browser hides its clipboard from the page: over HTTP from another machine.

/** Throws if the browser does not let the page copy. */
export async function copyText(text: string): Promise<void> {
  const { clipboard } = navigator as { readonly clipboard?: Clipboard }
  if (clipboard) return clipboard.writeText(text)
  // Something has to be selected; what is copied is given to the event, because a text field has line feeds for all line ends.
  const area = document.createElement('textarea')
  const give = (event: ClipboardEvent): void => {
    event.clipboardData?.setData('text/plain', text)
    event.preventDefault()
  }
  area.value = text
  area.className = 'sr'
  const focused = document.activeElement
  document.body.append(area)
  area.select()
  area.addEventListener('copy', give)
  const isCopied = document.execCommand('copy')
  area.remove()
  if (focused instanceof HTMLElement) focused.focus()
  if (!isCopied) throw new Error('the browser has refused to copy')
}

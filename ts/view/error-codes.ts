import { defineErrors } from '../session/index.js'

/** Makes the errors of the live page. */
export const viewError = defineErrors('view', {
  ERR_VIEW_ADDRESS: ['transport', 'The page cannot listen there; `cause` says why. Choose another port.'],
  ERR_VIEW_UPLOT_MISSING: ['usage', 'The package uplot, which draws the page, is not installed: npm install uplot'],
})

# What the collector serves to a browser: index.html as /, the rest as /assets/<name>.
set(PAGE_FILES
  api.js chart.js charts.js colours.js dom.js events.js filters.js format.js geo.js icon.svg
  index.html live.js main.js map.js picker.js status.js style.css theme.js view.js)
# Of other projects, from build/page-assets: see install_page_assets in scripts/setup.
set(PAGE_ASSETS LICENSES.txt countries-50m.json uPlot.iife.min.js uPlot.min.css)

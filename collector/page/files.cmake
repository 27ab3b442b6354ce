# What the collector serves to a browser: index.html as /, the rest as /assets/<name>.
set(PAGE_FILES index.html)
# Of other projects, from build/page-assets: see assets.txt.
set(PAGE_ASSETS countries-50m.json uPlot.iife.min.js uPlot.min.css LICENSES.txt)

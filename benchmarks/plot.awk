# Draws lines as SVG, the vertical axis logarithmic.
#
#   awk -f benchmarks/plot.awk -v title=T -v x_label=X -v y_label=Y [-v log_x=1] [-v dashed_note=N] LINES.tsv > P.svg
#
# LINES.tsv has four columns: the line's name, 1 if it is dashed, x, y; points of a line come in their order. Lines of
# one name have one colour. Rows whose x or y is no number above 0 are left out. dashed_note is added to the names of
# dashed lines.
BEGIN {
  FS = "\t"
  left = 80; right = 250; top = 44; bottom = 56; width = 860; height = 500
  split("#0072b2 #d55e00 #009e73 #cc79a7 #e69f00 #56b4e9 #000000 #8c510a", colours, " ")
}

$3 + 0 > 0 && $4 + 0 > 0 {
  key = $1 "\t" $2
  if (!(key in points)) keys[++lines] = key
  if (!($1 in colour)) colour[$1] = colours[1 + names++ % 8]
  at = ++points[key]
  x[key, at] = $3 + 0; y[key, at] = $4 + 0
  if (!total++) { x_low = x_high = $3 + 0; y_low = y_high = $4 + 0 }
  if ($3 + 0 < x_low) x_low = $3 + 0
  if ($3 + 0 > x_high) x_high = $3 + 0
  if ($4 + 0 < y_low) y_low = $4 + 0
  if ($4 + 0 > y_high) y_high = $4 + 0
}

function scale_x(value) { return log_x ? log(value) : value }
function px(value) { return left + (width - left - right) * (scale_x(value) - x_begin) / (x_end - x_begin) }
function py(value) { return height - bottom - (height - top - bottom) * (log(value) - y_begin) / (y_end - y_begin) }
function text(at_x, at_y, anchor, what) {
  gsub(/&/, "\\&amp;", what); gsub(/</, "\\&lt;", what)
  printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", at_x, at_y, anchor, what
}
function line(x0, y0, x1, y1, look) {
  printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x0, y0, x1, y1, look
}
# A number without trailing zeros.
function short(value) { return sprintf("%.4g", value) }
function tick_y(value) {
  if (log(value) < y_begin || log(value) > y_end) return
  line(left, py(value), width - right, py(value), "stroke=\"#ddd\"")
  text(left - 8, py(value) + 4, "end", short(value))
}
# About five steps of 1, 2 or 5 times a power of ten.
function narrow_ticks(  step, steps, value) {
  step = 10 ^ int(log((y_high - y_low) / 5) / log(10) - 1)
  while (y_high - y_low > 5 * step) step *= ++steps % 3 == 2 ? 2.5 : 2
  for (value = int(y_low / step) * step; value <= y_high + step; value += step) tick_y(value)
}
function tick_x(value) {
  line(px(value), height - bottom, px(value), height - bottom + 5, "stroke=\"#333\"")
  text(px(value), height - bottom + 20, "middle", short(value))
}

END {
  if (total == 0) { print "plot.awk: expected at least one point, got none" > "/dev/stderr"; exit 1 }
  margin = 0.04 * (scale_x(x_high) - scale_x(x_low)) + (x_high == x_low)
  x_begin = scale_x(x_low) - margin; x_end = scale_x(x_high) + margin
  margin = 0.04 * (log(y_high) - log(y_low)) + (y_high == y_low)
  y_begin = log(y_low) - margin; y_end = log(y_high) + margin

  printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" ", width, height
  print "font-family=\"sans-serif\" font-size=\"13\">"
  printf "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, height
  text(left, top - 18, "start", title)
  if (y_low < y_high && y_high < 4 * y_low) {
    narrow_ticks()
  } else {
    for (power = 1e-9; power < 1e9; power *= 10) {
      tick_y(power); tick_y(2 * power); tick_y(5 * power)
    }
  }
  if (log_x) {
    for (value = 1; value <= x_high * 1.001; value *= 2) if (value >= x_low * 0.999) tick_x(value)
  } else {
    for (value = 0; value <= x_end; value += 0.5) if (value >= x_begin) tick_x(value)
  }
  printf "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#333\"/>\n", \
         left, top, width - left - right, height - top - bottom
  text((left + width - right) / 2, height - 14, "middle", x_label)
  printf "<g transform=\"rotate(-90)\">\n"
  text(-(top + height - bottom) / 2, 20, "middle", y_label)
  print "</g>"

  for (k = 1; k <= lines; ++k) {
    split(keys[k], part, "\t")
    dash = part[2] ? " stroke-dasharray=\"6 4\"" : ""
    printf "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s points=\"", colour[part[1]], dash
    for (i = 1; i <= points[keys[k]]; ++i) printf "%.1f,%.1f ", px(x[keys[k], i]), py(y[keys[k], i])
    print "\"/>"
    for (i = 1; i <= points[keys[k]]; ++i)
      printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\" fill=\"%s\"/>\n", px(x[keys[k], i]), py(y[keys[k], i]), \
             part[2] ? "white\" stroke=\"" colour[part[1]] : colour[part[1]]
    y_legend = top + 10 + 20 * (k - 1)
    line(width - right + 14, y_legend, width - right + 46, y_legend, \
         "stroke=\"" colour[part[1]] "\" stroke-width=\"2\"" dash)
    text(width - right + 54, y_legend + 4, "start", part[1] (part[2] ? dashed_note : ""))
  }
  print "</svg>"
}

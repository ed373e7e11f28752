package status

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// scales shorten numbers from 100,000 on.
var scales = []struct {
	from float64
	unit string
}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}

// count is a number with three digits at least: 12,345 and 1.23 M.
func count[N int | int64 | uint64](n N) string {
	if n < 100_000 {
		text := strconv.FormatInt(int64(n), 10)
		if len(text) > 3 {
			text = text[:len(text)-3] + "," + text[len(text)-3:]
		}
		return text
	}
	return scaled(float64(n))
}

func scaled(v float64) string {
	for _, s := range scales {
		if v >= s.from {
			return digits(v/s.from) + " " + s.unit
		}
	}
	return digits(v)
}

// digits are three of a number below 1000 or so.
func digits(v float64) string {
	switch {
	case v < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// rate is a number per second: 0, 0.3, 25, 12,345.
func rate(v float64) string {
	switch {
	case v <= 0:
		return "0"
	case v < 0.05:
		return "<0.1"
	case v < 9.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return count(int64(math.Round(v)))
}

// size is a number of bytes: 512 B, 1.50 MiB.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, i := float64(n)/1024, 0
	for v >= 999.5 && i < len(units)-1 {
		v /= 1024
		i++
	}
	return digits(v) + " " + units[i:i+1] + "iB"
}

// percent is a part of 1; only a whole is 100 %.
func percent(part float64) string {
	p := math.Round(part * 100)
	if part < 1 {
		p = min(p, 99)
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + " %"
}

// span is a time in its largest units: 5 s, 12 min, 3 h, 14 days.
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return count(int(d.Hours()/24)) + " days"
}

// bound is how much of a maximum is in use; 0 is none.
func bound(used, most int) string {
	if most == 0 {
		return count(used)
	}
	return count(used) + " of " + count(most)
}

// plain shows what would not print, or would change the direction of text, as U+FFFD, and cuts what is long.
func plain(most int, text string) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > most {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
	}
	return b.String()
}

// class names the statuses that begin with a digit.
func class(digit int) string {
	if digit == 0 {
		return "no answer"
	}
	return fmt.Sprintf("%dxx", digit)
}

package score

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// percent writes a share with one decimal, rounded down: 100 % means all.
func percent(share float64) string {
	p := math.Floor(share*1000+1e-9) / 10
	if p >= 100 {
		return strconv.FormatFloat(p, 'f', 0, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

// percentUp writes a share of harm, rounded up: 0 % means none.
func percentUp(share float64) string {
	p := math.Ceil(share*1000-1e-9) / 10
	if p <= 0 || p >= 100 {
		return strconv.FormatFloat(max(0, p), 'f', 0, 64) + " %"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

// short writes a latency with two or three digits.
func short(d time.Duration) string {
	d = d.Round(time.Millisecond)
	switch {
	case d.Abs() < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d.Abs() < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}

// reasons lists the greatest counts first, the rest as one.
func reasons(counts map[string]int, most int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var parts []string
	rest := 0
	for i, name := range names {
		if i < most {
			parts = append(parts, cut(name, 12)+" "+count(counts[name]))
		} else {
			rest += counts[name]
		}
	}
	if rest > 0 {
		parts = append(parts, "other "+count(rest))
	}
	return strings.Join(parts, " · ")
}

// count writes n with a comma every three digits.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

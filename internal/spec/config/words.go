package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// maxQuote bounds what is quoted of a mistake, in bytes.
const maxQuote = 64

// clip quotes a text, or its beginning.
func clip(s string) string {
	if len(s) > maxQuote {
		return strconv.Quote(s[:maxQuote]) + "…"
	}
	return strconv.Quote(s)
}

// clipKey is a key as it may stand in a path.
func clipKey(key string) string {
	quoted := clip(key)
	if plain := strings.Trim(quoted, `"`); plain != "" && plain == key && !strings.ContainsAny(key, " .[]:") {
		return key
	}
	return quoted
}

// wanted says what would be right, to stand behind what is wrong; "" if anything would be.
func wanted(f *field) string {
	r := &f.rule
	switch {
	case r.want != "":
		return ": want " + r.want
	case len(r.oneOf) > 0:
		return ": want " + strings.TrimPrefix(strings.Join(r.oneOf, ", "), ", ")
	}
	least, most := r.bounds()
	switch {
	case f.typ == durationType && most < math.MaxInt64:
		return fmt.Sprintf(": want a time from %s to %s", formatDuration(time.Duration(least)), formatDuration(time.Duration(most)))
	case f.typ == durationType:
		return fmt.Sprintf(": want a time of %s0, such as 10s", map[bool]string{true: "more than ", false: "at least "}[least > 0])
	case f.typ == sizeType:
		return fmt.Sprintf(": want a size of at least %v, such as 256MiB", spec.Size(least))
	case isNumber(f.typ) && most < math.MaxInt64:
		return fmt.Sprintf(": want a number from %d to %d", least, most)
	case f.typ.Kind() == reflect.Int:
		return fmt.Sprintf(": want a number of at least %d", least)
	case f.typ.Kind() == reflect.Bool:
		return ": want true or false"
	case f.typ == pemType:
		return ": want a file in PEM form, or its text"
	case f.typ == listType, f.typ == fileTextType:
		return ": want a file"
	case f.typ.Kind() == reflect.Slice:
		return ": want a list; [] is an empty one"
	}
	return ": want a text"
}

func isNumber(t reflect.Type) bool {
	return t.Kind() == reflect.Int || t.Kind() == reflect.Uint64 || t.Kind() == reflect.Float64
}

// known lists a section's keys.
func (s *section) known() string {
	var keys []string
	for _, f := range s.fields {
		keys = append(keys, f.key)
	}
	return strings.Join(keys, ", ")
}

// suggest says what an unknown key may have been meant to be: one like it, the same in another section, or any that there is.
func (s *section) suggest(key string, all map[reflect.Type]*section, top reflect.Type) string {
	if len(key) <= maxQuote {
		if like := s.closest(key); like != "" {
			return ": did you mean " + like + "?"
		}
		if elsewhere := find(all, top, "", key); elsewhere != "" {
			return ": did you mean " + elsewhere + "?"
		}
	}
	return ": want one of " + s.known()
}

// closest is the key that differs least, if it differs little.
func (s *section) closest(key string) string {
	best, least := "", 1+min(2, len(key)/3)
	for _, f := range s.fields {
		if d := distance(key, f.key); d < least {
			best, least = f.key, d
		}
	}
	return best
}

// find looks for a key in the sections below a type, and returns its path.
func find(all map[reflect.Type]*section, t reflect.Type, path, key string) string {
	for _, f := range all[t].fields {
		if f.key == key && path != "" {
			return path + key
		}
		if isSection(f.typ) {
			if found := find(all, f.typ, path+f.key+".", key); found != "" {
				return found
			}
		}
	}
	return ""
}

// distance counts the letters to change, add, leave out or swap with the next, to make b of a (optimal string alignment).
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			changed := 0
			if a[i-1] != b[j-1] {
				changed = 1
			}
			row[j] = min(row[j-1]+1, last[j]+1, last[j-1]+changed)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

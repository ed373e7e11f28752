package rules

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is what is wrong with an expression.
type Error struct {
	Line, Column int // from 1; columns are characters
	Message      string

	lines int // of the expression
}

// Error is the message behind its place; the line is named only if there are several.
func (e *Error) Error() string {
	if e.lines > 1 {
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
	}
	return fmt.Sprintf("column %d: %s", e.Column, e.Message)
}

// errorAt makes the error for offset at of a text.
func errorAt(text string, at int, format string, args ...any) *Error {
	before := text[:min(at, len(text))]
	start := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Line:    strings.Count(before, "\n") + 1,
		Column:  utf8.RuneCountInString(before[start:]) + 1,
		Message: fmt.Sprintf(format, args...),
		lines:   strings.Count(text, "\n") + 1,
	}
}

// suggest returns a hint at the name that was probably meant, "" if none is near.
func suggest(name string, among []string) string {
	best, least := "", max(2, len(name)/4)+1
	for _, candidate := range among {
		if d := distance(strings.ToLower(name), candidate, least); d < least {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s?", best)
}

// distance is the number of bytes to insert, delete or change, or limit if it is not less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j+1]+1, row[j]+1)
		}
	}
	return min(row[len(b)], limit)
}

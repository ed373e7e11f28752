package rules

import (
	"strconv"
	"strings"
)

// token is what kind of thing the lexer found.
type token uint8

const (
	endToken    token = iota
	wordToken         // a field, a function, true, false
	stringToken       // quoted or raw, with its quotes
	numberToken       // an integer, an address or a prefix: what it is, is told by its literal
	rangeToken        // ..
	listToken         // $name
	opToken           // an operator, by name or symbol
	punctToken        // one of ( ) [ ] { } , *
)

// op is an operator.
type op uint8

const (
	noOp op = iota
	orOp
	xorOp
	andOp
	notOp
	eqOp
	neOp
	ltOp
	leOp
	gtOp
	geOp
	containsOp
	matchesOp
	wildcardOp
	strictOp
	inOp
	bitOp
)

// opNames are the operators as String writes them.
var opNames = [...]string{
	orOp: "or", xorOp: "xor", andOp: "and", notOp: "not", eqOp: "eq", neOp: "ne", ltOp: "lt", leOp: "le", gtOp: "gt", geOp: "ge",
	containsOp: "contains", matchesOp: "matches", wildcardOp: "wildcard", strictOp: "strict wildcard", inOp: "in", bitOp: "bitwise_and",
}

func (o op) String() string { return opNames[o] }

// compares tells the operators between a value and literals.
func (o op) compares() bool { return o >= eqOp }

// words are the names that no field can have.
var words = map[string]op{
	"or": orOp, "xor": xorOp, "and": andOp, "not": notOp, "eq": eqOp, "ne": neOp, "lt": ltOp, "le": leOp, "gt": gtOp, "ge": geOp,
	"contains": containsOp, "matches": matchesOp, "wildcard": wildcardOp, "strict": strictOp, "in": inOp, "bitwise_and": bitOp,
	"true": noOp, "false": noOp,
}

// symbols are the operators that are not words; of two that begin alike, the longer first.
var symbols = []struct {
	text string
	op   op
}{
	{"||", orOp}, {"^^", xorOp}, {"&&", andOp}, {"!=", neOp}, {"!", notOp}, {"==", eqOp}, {"<=", leOp}, {"<", ltOp}, {">=", geOp},
	{">", gtOp}, {"~", matchesOp}, {"&", bitOp},
}

// A lexer cuts a text into tokens, one at a time.
type lexer struct {
	text string
	at   int // where the next token is looked for

	// The token at hand.
	kind       token
	op         op
	start, end int
	last       int // where the token before ended
}

// lexeme is the text of the token at hand.
func (l *lexer) lexeme() string { return l.text[l.start:l.end] }

// next reads one token.
func (l *lexer) next() error {
	for l.at < len(l.text) && strings.IndexByte(" \t\r\n", l.text[l.at]) >= 0 {
		l.at++
	}
	l.start, l.op, l.last = l.at, noOp, l.end
	err := l.scan(l.text[l.at:])
	l.at = l.end
	return err
}

// take makes the next n bytes the token at hand.
func (l *lexer) take(kind token, n int) error {
	l.kind, l.end = kind, l.start+n
	return nil
}

func (l *lexer) scan(rest string) error {
	if rest == "" {
		return l.take(endToken, 0)
	}
	c := rest[0]
	switch {
	case c == '"' || c == 'r' && rawQuote(rest) > 0:
		return l.scanString(rest)
	case strings.HasPrefix(rest, ".."):
		return l.take(rangeToken, 2)
	case isDigit(c) || c == ':' || c == '-' || isAddress(rest):
		return l.scanNumber(rest)
	case isLetter(c):
		return l.scanWord(rest)
	case c == '$':
		n := 1 + run(rest[1:], listNameBytes)
		return l.take(listToken, n)
	case strings.IndexByte("()[]{},*", c) >= 0:
		return l.take(punctToken, 1)
	}
	for _, s := range symbols {
		if strings.HasPrefix(rest, s.text) {
			l.op = s.op
			return l.take(opToken, len(s.text))
		}
	}
	return l.unexpected(rest)
}

func (l *lexer) unexpected(rest string) error {
	hint := ""
	switch rest[0] {
	case '=':
		hint = ": did you mean ==?"
	case '|':
		hint = ": did you mean ||?"
	case '^':
		hint = ": did you mean ^^?"
	case '\'':
		hint = `: strings stand in "`
	case '#', '/':
		hint = ": there are no comments"
	}
	r := []rune(rest[:min(4, len(rest))])[0]
	return errorAt(l.text, l.start, "found %s%s", strconv.QuoteRune(r), hint)
}

// scanWord reads a name or an operator.
func (l *lexer) scanWord(rest string) error {
	n := run(rest, nameBytes)
	word := rest[:n]
	// A range may follow a name only by mistake, but then the dots are not the name's.
	if i := strings.Index(word, ".."); i >= 0 {
		n, word = i, rest[:i]
	}
	o, reserved := words[word]
	switch {
	case !reserved || o == noOp:
		return l.take(wordToken, n)
	case o == strictOp:
		after := strings.TrimLeft(rest[n:], " \t\r\n")
		if !strings.HasPrefix(after, "wildcard") {
			return errorAt(l.text, l.start+n, "want wildcard behind strict")
		}
		n = len(rest) - len(after) + len("wildcard")
	}
	l.op = o
	return l.take(opToken, n)
}

// scanNumber reads digits, letters, dots, colons and what else is in addresses, up to the dots of a range.
func (l *lexer) scanNumber(rest string) error {
	n := 1 + run(rest[1:], "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:/%_")
	if i := strings.Index(rest[:n], ".."); i >= 0 {
		n = i
	}
	return l.take(numberToken, n)
}

// scanString finds the end of a string.
func (l *lexer) scanString(rest string) error {
	if open := rawQuote(rest); open > 0 {
		if open-2 > maxHashes {
			return errorAt(l.text, l.start, "a raw string has at most %d #", maxHashes)
		}
		closing := `"` + rest[1:open-1]
		n := strings.Index(rest[open:], closing)
		if n < 0 {
			return errorAt(l.text, l.start, "the string has no end: want %s", closing)
		}
		return l.take(stringToken, open+n+len(closing))
	}
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case '"':
			return l.take(stringToken, i+1)
		}
	}
	return errorAt(l.text, l.start, `the string has no end: want "`)
}

// maxHashes is the number of # that a raw string may have.
const maxHashes = 255

// rawQuote returns the length of what opens a raw string, 0 if nothing does.
func rawQuote(s string) int {
	if s == "" || s[0] != 'r' {
		return 0
	}
	n := 1 + run(s[1:], "#")
	if n < len(s) && s[n] == '"' {
		return n + 1
	}
	return 0
}

// isAddress tells whether what begins with a letter is an IPv6 address: nothing else has a colon.
func isAddress(s string) bool {
	n := run(s, "0123456789abcdefABCDEF")
	return n > 0 && n <= 4 && n < len(s) && s[n] == ':'
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// run returns how many bytes of s, from its beginning, are among those of a set.
func run(s, set string) int {
	n := 0
	for n < len(s) && strings.IndexByte(set, s[n]) >= 0 {
		n++
	}
	return n
}

package replay

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// mistake is what is wrong with a line.
func mistake(format string, args ...any) error { return fmt.Errorf(format, args...) }

// timeLayout is that of Apache and nginx.
const timeLayout = "02/Jan/2006:15:04:05 -0700"

// textParser reads lines of Apache and nginx: common, and combined, which has a referer and an agent behind it; and Apache's vhost_combined, which
// has host and port before it.
type textParser struct {
	lastText string // a time, which many lines have
	last     time.Time
}

// parse reads a line.
func (p *textParser) parse(text string, l *Line) (err error) {
	rest := text
	if l.Client, rest, err = word(rest); err != nil {
		return mistake("it is empty")
	}
	if host, port, ok := strings.Cut(l.Client, ":"); ok && isPort(port) && !strings.Contains(port, ":") {
		l.Host = host
		if l.Client, rest, err = word(rest); err != nil {
			return mistake("there is no client")
		}
	}
	open := strings.IndexByte(rest, '[') // identity and user, which may have spaces, stand before it
	shut := strings.IndexByte(rest, ']')
	if open < 0 || shut < open {
		return mistake("there is no time in brackets")
	}
	if l.Time, err = p.time(rest[open+1 : shut]); err != nil {
		return err
	}
	request, rest, err := quoted(rest[shut+1:])
	if err != nil {
		return mistake("the request %w", err)
	}
	if err = l.requestLine(request); err != nil {
		return err
	}
	if rest, err = l.result(rest); err != nil {
		return err
	}
	return l.rest(rest)
}

// result reads status and bytes.
func (l *Line) result(text string) (rest string, err error) {
	status, rest, err := word(text)
	if l.Status, _ = strconv.Atoi(status); err != nil || l.Status < 100 || l.Status > 999 {
		return "", mistake("the status %.16q is none", status)
	}
	size, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	if size == "" || size == "-" {
		return rest, nil
	}
	if l.Bytes, err = strconv.ParseInt(size, 10, 64); err != nil || l.Bytes < 0 {
		return "", mistake("the size %.16q is no number of bytes", size)
	}
	return rest, nil
}

// rest reads what combined has and common has not.
func (l *Line) rest(text string) (err error) {
	if strings.IndexByte(text, '"') < 0 {
		return nil
	}
	if l.Referer, text, err = quoted(text); err != nil {
		return mistake("the referer %w", err)
	}
	if strings.IndexByte(text, '"') >= 0 {
		if l.Agent, _, err = quoted(text); err != nil {
			return mistake("the agent %w", err)
		}
	}
	l.Referer, l.Agent = present(l.Referer), present(l.Agent)
	return nil
}

// time reads a time; that of the line before costs nothing.
func (p *textParser) time(text string) (time.Time, error) {
	if text == p.lastText {
		return p.last, nil
	}
	t, err := time.Parse(timeLayout, text)
	if err != nil {
		return t, mistake("%.40q is no time such as %s", text, "02/Jan/2006:15:04:05 -0700")
	}
	p.lastText, p.last = strings.Clone(text), t
	return t, nil
}

// present is a value, of which - says that there is none.
func present(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// word is what comes before the next space.
func word(text string) (word, rest string, err error) {
	word, rest, _ = strings.Cut(strings.TrimLeft(text, " "), " ")
	if word == "" {
		return "", "", mistake("there is nothing")
	}
	return word, rest, nil
}

// quoted is what stands in quotes next, without what Apache and nginx escape it with.
func quoted(text string) (value, rest string, err error) {
	text = strings.TrimLeft(text, " ")
	if text == "" || text[0] != '"' {
		return "", "", mistake("is not there")
	}
	escaped := false
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			if value = text[1:i]; escaped {
				value = unescaped(value)
			}
			return value, text[i+1:], nil
		}
	}
	return "", "", mistake("has no end")
}

// unescaped takes \" and \\ and \xHH, and the letters of C, for what they stand for.
func unescaped(text string) string {
	letters := strings.NewReplacer(`n`, "\n", `t`, "\t", `r`, "\r", `b`, "\b", `v`, "\v", `f`, "\f")
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		if text[i] == 'x' && i+2 < len(text) {
			if c, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteString(letters.Replace(text[i : i+1]))
	}
	return b.String()
}

// threeParts takes a request line apart. Of a target some logs have spaces.
func threeParts(text string) (method, target, proto string, ok bool) {
	method, rest, ok := strings.Cut(text, " ")
	at := strings.LastIndexByte(rest, ' ')
	if !ok || at <= 0 || !strings.HasPrefix(rest[at+1:], "HTTP/") || !isMethod(method) {
		return "", "", "", false
	}
	return method, strings.ReplaceAll(rest[:at], " ", "%20"), rest[at+1:], true
}

func isMethod(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_") == ""
}

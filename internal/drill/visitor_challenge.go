package drill

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/drill/wire"
)

// challenge is a page that gives a client a cookie and has it come again, to see whether it is a browser.
type challenge struct {
	scripted bool // only a client that runs scripts comes again
	delay    time.Duration
	computed bool         // its script sets a cookie that has to be worked out, which the drill's browsers do not
	cookies  []wire.Field // that its script sets; those of Set-Cookie are in the jar already
}

const (
	maxChallenge = 64 << 10 // bytes of a page that are looked at
	maxNumber    = 16       // bytes of a number in a script, and what is around it
)

// readChallenge recognises a challenge in a page that is not the one that was asked for: it sets a cookie, by field or
// script, and asks to come again, by refresh or script. No script is run: what it says has to stand in it.
func readChallenge(r *wire.Response, body []byte) (challenge, bool) {
	switch r.Status {
	case 200, 401, 403, 429, 503:
	default:
		return challenge{}, false
	}
	if !strings.HasPrefix(strings.ToLower(r.Field("Content-Type")), "text/html") {
		return challenge{}, false
	}
	page := string(body[:min(len(body), maxChallenge)])
	lower := string(bytes.ToLower([]byte(page)))
	if len(lower) != len(page) {
		lower = page // a letter that changes its length: then no place in one is the same in the other
	}
	ch := challenge{}
	ch.cookies, ch.computed = scriptCookies(page)
	if r.Field("Set-Cookie") == "" && len(ch.cookies) == 0 && !ch.computed {
		return challenge{}, false
	}
	var again bool
	if ch.delay, again = refresh(r.Field("Refresh"), lower); !again {
		ch.delay, again = scriptReload(lower)
		ch.scripted = true
	}
	ch.scripted = ch.scripted || ch.computed || len(ch.cookies) > 0
	return ch, again
}

// scriptCookies returns the cookies that are set to a literal, document.cookie = "name=value; …", and whether there is one
// that is computed.
func scriptCookies(page string) (out []wire.Field, computed bool) {
	for len(out) < jarSize {
		_, rest, ok := strings.Cut(page, "document.cookie")
		if !ok {
			break
		}
		page = rest
		value, set := strings.CutPrefix(strings.TrimLeft(rest, " \t\r\n"), "=")
		if !set || strings.HasPrefix(value, "=") {
			continue // it is read
		}
		literal, after, ok := quoted(strings.TrimLeft(value, " \t\r\n"))
		if !ok || strings.HasPrefix(strings.TrimLeft(after, " \t\r\n"), "+") {
			computed = true
			continue
		}
		pair, _, _ := strings.Cut(literal, ";")
		if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && name != "" && value != "" {
			out = append(out, wire.Field{Name: name, Value: value})
		}
	}
	return out, computed
}

// quoted cuts a string literal off the beginning of a script.
func quoted(s string) (literal, after string, ok bool) {
	if s == "" || !strings.ContainsRune("\"'`", rune(s[0])) {
		return "", "", false
	}
	literal, after, ok = strings.Cut(s[1:], s[:1])
	return literal, after, ok && !strings.ContainsAny(literal, "\\\r\n")
}

// refresh reads the delay of a Refresh field or of a meta element that stands for one.
func refresh(field, lower string) (time.Duration, bool) {
	if field != "" {
		return seconds(field)
	}
	for {
		_, rest, ok := strings.Cut(lower, "<meta")
		if !ok {
			return 0, false
		}
		element, after, _ := strings.Cut(rest, ">")
		lower = after
		if v := attribute(element, "http-equiv"); v == "refresh" {
			return seconds(attribute(element, "content"))
		}
	}
}

// attribute returns the value of an element's attribute, "" if it has none.
func attribute(element, name string) string {
	_, rest, ok := strings.Cut(element, name)
	if !ok {
		return ""
	}
	rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " \t\r\n"), "=")
	if !ok {
		return ""
	}
	rest = strings.TrimLeft(rest, " \t\r\n")
	if v, _, ok := quoted(rest); ok {
		return strings.TrimSpace(v)
	}
	if i := strings.IndexAny(rest, " \t\r\n/"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// seconds reads the number at the beginning of s.
func seconds(s string) (time.Duration, bool) {
	s = strings.TrimSpace(s)
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.') {
		end++
	}
	n, err := strconv.ParseFloat(s[:end], 64)
	if err != nil || n > maxDelay.Seconds() {
		return maxDelay, end > 0
	}
	return time.Duration(n * float64(time.Second)), true
}

// scriptReload finds a script that has the page come again, and after how long.
func scriptReload(lower string) (time.Duration, bool) {
	at := -1
	for _, call := range []string{"location.reload(", "location.replace(", "location.assign(", "location.href", "location="} {
		if at = strings.Index(lower, call); at >= 0 {
			break
		}
	}
	if at < 0 {
		return 0, false
	}
	if !strings.Contains(lower[:at], "settimeout") {
		return 0, true
	}
	// setTimeout(function() { location.reload() }, 3000): the number before the next parenthesis that follows one
	rest := lower[at:]
	for {
		_, after, ok := strings.Cut(rest, ",")
		if !ok {
			return 0, true
		}
		rest = after
		number, _, ok := strings.Cut(after[:min(len(after), maxNumber)], ")")
		if ms, err := strconv.ParseUint(strings.TrimSpace(number), 10, 31); ok && err == nil {
			return min(time.Duration(ms)*time.Millisecond, maxDelay), true
		}
	}
}

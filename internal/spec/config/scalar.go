package config

import (
	"crypto/x509"
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seawall/seawall/internal/spec"
)

// scalar decodes what is one text.
func (d *decoder) scalar(n *node, v reflect.Value, f *field, key string) *Problem {
	var err error
	switch at := v.Addr().Interface().(type) {
	case *spec.PEM:
		*at, err = d.pem(n.text, f)
	case *spec.ListText:
		*at = spec.ListText(d.listed(n.text, f.key))
	case *spec.FileText:
		*at = spec.FileText(d.listed(n.text, f.key))
	case *time.Duration:
		*at, err = parseDuration(n.text)
	case encoding.TextUnmarshaler:
		err = at.UnmarshalText([]byte(n.text))
	case *bool:
		if *at = n.text == "true"; n.kind != boolean {
			err = fmt.Errorf("%s is %v: want true or false", clip(n.text), n.kind)
		}
	case *int:
		*at, err = parseInt(n)
	case *uint64:
		var i int
		if i, err = parseInt(n); err == nil && i < 0 {
			err = fmt.Errorf("%s is out of bounds%s", clip(n.text), wanted(f))
		}
		*at = uint64(i)
	case *float64:
		if *at, err = strconv.ParseFloat(n.text, 64); n.kind != number || err != nil {
			err = fmt.Errorf("%s is no number", clip(n.text))
		}
	default:
		v.SetString(n.text)
	}
	if err != nil {
		return d.problem(n.line, key, "%v", err)
	}
	if f.rule.excludes(v) {
		return d.problem(n.line, key, "%s is out of bounds%s", clip(n.text), wanted(f))
	}
	if v.Kind() == reflect.String && !isContent(v.Type()) {
		return d.text(n, v, f, key)
	}
	return nil
}

// text checks a text by its rule.
func (d *decoder) text(n *node, v reflect.Value, f *field, key string) *Problem {
	s, r := v.String(), &f.rule
	switch {
	case r.off && s == "off":
		s = ""
	case len(r.oneOf) > 0 && !slices.Contains(r.oneOf, s):
		return d.problem(n.line, key, "%s is unknown%s", clip(s), wanted(f))
	case r.pattern != nil && s != "" && !r.pattern.MatchString(s):
		shown := "this"
		if !r.secret && !strings.Contains(s, "@") { // which may come after a password
			shown = clip(s)
		}
		return d.problem(n.line, key, "%s does not fit%s", shown, wanted(f))
	case r.path && s != "" && s != "-":
		if s = d.beside(s); r.followed {
			d.refs = append(d.refs, ref{name: s, most: 0}) // what is in it is no business of this package
		}
	}
	v.SetString(s)
	return nil
}

// pem is a text in PEM form, or that of a file.
func (d *decoder) pem(s string, f *field) (spec.PEM, error) {
	const begin = "-----BEGIN "
	from := "this text"
	if s == "" {
		return "", nil
	}
	if !strings.Contains(s, begin) {
		from = d.beside(s)
		d.refs = append(d.refs, ref{name: from, most: maxPEM})
		var err error
		if s, err = d.reader.text(from, maxPEM); err != nil {
			return "", err
		}
	}
	if f.rule.secret {
		if !strings.Contains(s, "PRIVATE KEY-----") {
			return "", fmt.Errorf("%s holds no private key in PEM form", from)
		}
	} else if !x509.NewCertPool().AppendCertsFromPEM([]byte(s)) {
		return "", fmt.Errorf("%s holds no certificate in PEM form", from)
	}
	return spec.PEM(s), nil
}

// parseInt reads a whole number, which may have underscores between its digits.
func parseInt(n *node) (int, error) {
	digits := strings.ReplaceAll(n.text, "_", "")
	i, err := strconv.Atoi(digits)
	unsigned := strings.TrimPrefix(digits, "-")
	if n.kind != number || err != nil || len(unsigned) > 1 && unsigned[0] == '0' {
		return 0, fmt.Errorf("%s is no whole number", clip(n.text))
	}
	return i, nil
}

const day = 24 * time.Hour

// parseDuration reads what [time.ParseDuration] does, and days, such as 365d.
func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 63); err == nil && n <= uint64(math.MaxInt64/day) {
			return time.Duration(n) * day, nil
		}
	}
	t, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%s is no time: want a number with ms, s, m, h or d, such as 10s", clip(s))
	}
	return t, nil
}

// formatDuration writes what parseDuration reads.
func formatDuration(t time.Duration) string {
	if t > 0 && t%day == 0 {
		return strconv.FormatInt(int64(t/day), 10) + "d"
	}
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

package httpcache

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// RFC 9111 §4.2.2: nothing is guessed where freshness is said, however badly. §5.3: Expires says nothing beside max-age and s-maxage.
func TestNoHeuristicsWhereFreshnessIsSaid(t *testing.T) {
	modified := "Last-Modified: " + at(-1000*time.Hour) // by which a heuristic would have a day
	for _, said := range [][]Field{
		fields("Cache-Control: max-age=0"), fields("Cache-Control: s-maxage=0"), fields("Cache-Control: max-age=x"),
		fields("Expires: " + at(-time.Hour)), fields("Expires: 0"), fields("Expires: x"), fields("Expires: "+at(0), "Expires: "+at(time.Hour)),
		fields("Cache-Control: max-age=0", "Expires: "+at(time.Hour)), fields("Cache-Control: s-maxage=0", "Expires: "+at(time.Hour)),
	} {
		m, refusal := Store(&Request{Method: "GET"}, &Response{Status: 200, Fields: append(said, fields(modified)...)}, t0, t0, Policy{})
		if refusal != Storable || m.Lifetime != 0 {
			t.Errorf("%v: got %q, lifetime %v, want 0", said, refusal, m.Lifetime)
		}
	}
}

// RFC 9111 §5.2.3: directives that nobody knows change nothing.
func TestUnknownDirectives(t *testing.T) {
	for _, known := range []string{"max-age=60", "private, max-age=60", "no-store", "no-cache, max-age=60", "max-age=60, must-revalidate"} {
		want, refused := Store(&Request{Method: "GET"}, &Response{Status: 200, Fields: fields("Cache-Control: " + known)}, t0, t0, Policy{})
		for _, unknown := range []string{"foo", "foo=1", `foo="a, b"`, "max_age=1", "no-stored", "community=\"UCI\""} {
			for _, control := range []string{known + ", " + unknown, unknown + "," + known} {
				got, refusal := Store(&Request{Method: "GET"}, &Response{Status: 200, Fields: fields("Cache-Control: " + control)}, t0, t0, Policy{})
				if refusal != refused || got.Lifetime != want.Lifetime || got.NoCache != want.NoCache || got.MustRevalidate != want.MustRevalidate {
					t.Errorf("%s: got %q and %+v, want %q and %+v", control, refusal, got, refused, want)
				}
			}
		}
	}
}

// TestRequirementsTable: each test that docs/rfc9111.md names for a section exists, in a file that cites the section.
func TestRequirementsTable(t *testing.T) {
	text, err := os.ReadFile("../docs/rfc9111.md")
	if err != nil {
		t.Fatal(err)
	}
	named, files := regexp.MustCompile("`([a-z/0-9]+)\\.(Test[A-Za-z0-9]+)`"), make(map[string][]string)
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "3") && !strings.HasPrefix(strings.TrimSpace(cells[1]), "4") &&
			!strings.HasPrefix(strings.TrimSpace(cells[1]), "5") {
			continue
		}
		rows++
		section := strings.TrimSpace(cells[1])
		tests := named.FindAllStringSubmatch(cells[4], -1)
		if len(tests) == 0 && !strings.Contains(cells[4], "does not apply") {
			t.Errorf("§%s: neither a test nor why there is none: %s", section, line)
		}
		for _, test := range tests {
			if !cited(t, files, test[1], test[2], section) {
				t.Errorf("§%s: %s.%s is not there, or its file does not cite the section", section, test[1], test[2])
			}
		}
	}
	if rows < 60 {
		t.Errorf("got %d rows, want all requirements", rows)
	}
}

// cited reports whether a folder has a test of that name in a file that cites the section of RFC 9111.
func cited(t *testing.T, files map[string][]string, folder, test, section string) bool {
	t.Helper()
	if files[folder] == nil {
		paths, _ := filepath.Glob("../" + folder + "/*_test.go")
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			files[folder] = append(files[folder], string(text))
		}
	}
	cites := regexp.MustCompile(`9111 [^"]{0,150}?§` + regexp.QuoteMeta(section) + `([^.0-9]|\.[^0-9])`)
	for _, text := range files[folder] {
		if strings.Contains(text, "func "+test+"(") && cites.MatchString(text) {
			return true
		}
	}
	return false
}

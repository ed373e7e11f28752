package rules_test

import (
	"fmt"

	"github.com/seawall/seawall/rules"
)

// site is what the example knows of a request: its host and its path.
type site struct{ host, path string }

func (s *site) Value(i int) rules.Value {
	return rules.BytesValue([]string{s.host, s.path}[i])
}

func Example() {
	scheme, err := rules.NewScheme([]rules.Field{
		{Name: "http.host", Type: rules.Bytes},
		{Name: "http.request.uri.path", Type: rules.Bytes},
	}, nil)
	if err != nil {
		panic(err)
	}
	filter, err := rules.Compile(scheme, `http.host eq "example.com" and ends_with(lower(http.request.uri.path), ".php")`)
	if err != nil {
		panic(err)
	}
	m := rules.NewMachine(scheme)
	m.Reset(&site{"example.com", "/Login.PHP"})
	fmt.Println(filter.Match(m))
	fmt.Print(filter.Explain(m))

	_, err = rules.Compile(scheme, `http.hots eq "example.com"`)
	fmt.Println(err)
	// Output:
	// true
	// http.host eq "example.com" and ends_with(lower(http.request.uri.path), ".php") = true
	//   http.host eq "example.com" = true
	//     http.host = "example.com"
	//   ends_with(lower(http.request.uri.path), ".php") = true
	//     lower(http.request.uri.path) = "/login.php"
	//       http.request.uri.path = "/Login.PHP"
	// column 1: unknown field http.hots: did you mean http.host?
}

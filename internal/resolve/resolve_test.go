package resolve_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/openrabbit/openrabbit/internal/resolve"
	"github.com/openrabbit/openrabbit/internal/syntax"
)

var paths = strings.Fields(`
	go.mod shop/stock.go shop/stock_test.go shop/price.go tools/go.mod tools/gen/gen.go http/http.go
	web/app.ts web/lib/cart.ts web/lib/index.ts web/lib/deep/a.tsx packages/ui/package.json packages/ui/src/index.ts packages/ui/button.tsx
	src/shared/Message.ts node_modules/left/pad.ts
	py/shop/__init__.py py/shop/stock.py py/shop/web/views.py py/other/stock.py
	core/src/main/java/com/acme/Stock.java core/src/main/java/com/acme/Price.java core/src/main/java/com/acme/web/View.java
	api/src/main/java/com/acme/Stock.java`)

func tree() *resolve.Tree {
	t := resolve.New(paths)
	t.AddManifest("go.mod", []byte("module acme.dev/shop\n\ngo 1.26\n"))
	t.AddManifest("tools/go.mod", []byte("// tools\nmodule acme.dev/tools\n"))
	t.AddManifest("packages/ui/package.json", []byte(`{"name":"@acme/ui"}`))
	return t
}

func TestImport(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, from, language, module, names, want string }{
		{"go package", "tools/gen/gen.go", "go", "acme.dev/shop/shop", "", "shop/price.go shop/stock.go"},
		{"go package of another module", "shop/stock.go", "go", "acme.dev/tools/gen", "", "tools/gen/gen.go"},
		{"go's own, though a directory is called so", "shop/stock.go", "go", "net/http", "", ""},
		{"go from elsewhere", "shop/stock.go", "go", "github.com/x/http", "", ""},
		{"relative", "web/app.ts", "typescript", "./lib/cart", "", "web/lib/cart.ts"},
		{"index", "web/app.ts", "typescript", "./lib", "", "web/lib/index.ts"},
		{"as it will be", "web/app.ts", "typescript", "./lib/cart.js", "", "web/lib/cart.ts"},
		{"upwards", "web/lib/deep/a.tsx", "tsx", "../cart", "", "web/lib/cart.ts"},
		{"workspace", "web/app.ts", "typescript", "@acme/ui", "", "packages/ui/src/index.ts"},
		{"in a workspace", "web/app.ts", "typescript", "@acme/ui/button", "", "packages/ui/button.tsx"},
		{"alias", "web/app.ts", "typescript", "@shared/Message", "", "src/shared/Message.ts"},
		{"alias of the root", "web/app.ts", "typescript", "@/shared/Message", "", "src/shared/Message.ts"},
		{"a package from elsewhere", "web/app.ts", "typescript", "react", "", ""},
		{"installed", "web/app.ts", "typescript", "left/pad", "", ""},
		{"python", "py/shop/web/views.py", "python", "shop.stock", "Stock", "py/shop/stock.py"},
		{"python from a package", "py/shop/web/views.py", "python", "shop", "stock", "py/shop/__init__.py py/shop/stock.py"},
		{"python's own", "py/shop/web/views.py", "python", "os.path", "join", ""},
		{"relative python", "py/shop/web/views.py", "python", "..stock", "Stock", "py/shop/stock.py"},
		{"relative package", "py/shop/web/views.py", "python", "..", "stock", "py/shop/__init__.py py/shop/stock.py"},
		{"java, the nearest of two", "core/src/main/java/com/acme/web/View.java", "java", "com.acme", "Stock", "core/src/main/java/com/acme/Stock.java"},
		{"java, none nearer", "x/View.java", "java", "com.acme", "Stock", ""},
		{"java, a member", "core/src/main/java/com/acme/web/View.java", "java", "com.acme.Price", "of", "core/src/main/java/com/acme/Price.java"},
		{"java, all of a package", "core/src/main/java/com/acme/web/View.java", "java", "com.acme", "*", "core/src/main/java/com/acme/Price.java core/src/main/java/com/acme/Stock.java"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			imp := syntax.Import{Module: tt.module, Names: strings.Fields(tt.names)}
			if got := strings.Join(tree().Import(tt.from, tt.language, imp), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Without a list of files, a path that follows from the import is worth trying.
func TestGuess(t *testing.T) {
	t.Parallel()
	none := resolve.New(nil)
	if got := none.Import("web/app.ts", "typescript", syntax.Import{Module: "./lib/cart"}); !slices.Contains(got, "web/lib/cart.ts") {
		t.Errorf("got %v", got)
	}
	if got := none.Import("a/b.py", "python", syntax.Import{Module: ".c", Names: []string{"d"}}); got[0] != "a/c.py" {
		t.Errorf("got %v", got)
	}
	if got := none.Import("m/src/main/java/a/B.java", "java", syntax.Import{Module: "a.c", Names: []string{"D"}}); got[0] != "m/src/main/java/a/c/D.java" {
		t.Errorf("got %v", got)
	}
	if got := none.Import("a.go", "go", syntax.Import{Module: "a.dev/b"}); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestSiblings(t *testing.T) {
	t.Parallel()
	if got := strings.Join(tree().Siblings("shop/stock.go", "go"), " "); got != "shop/price.go shop/stock_test.go" {
		t.Errorf("got %s", got)
	}
	if got := tree().Neighbour("core/src/main/java/com/acme/Stock.java", "java", "Price"); got != "core/src/main/java/com/acme/Price.java" {
		t.Errorf("got %s", got)
	}
	if got := tree().Siblings("web/app.ts", "typescript"); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestBindings(t *testing.T) {
	t.Parallel()
	var got []string
	for _, b := range resolve.Bindings("typescript", []syntax.Import{
		{Module: "./x", Names: []string{"default as cart", "A", "B as C"}}, {Module: "./y", Alias: "ns"}, {Module: "./side-effect"},
	}) {
		got = append(got, b.Local+"="+b.Name)
	}
	if want := "cart=default A=A C=B ns="; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	for module, want := range map[string]string{"a.dev/shop": "shop", "a.dev/shop/v2": "shop", "gopkg.in/yaml.v3": "yaml", "a.dev/go-cart": "cart"} {
		if b := resolve.Bindings("go", []syntax.Import{{Module: module}}); b[0].Local != want {
			t.Errorf("%s is called %s", module, b[0].Local)
		}
	}
}

"""Takes the tests apart, so that each is counted by itself and those after a failure run as well."""
import ast

SOURCES = {}  # (file, line) of the tests -> the statement there


class Broken(Exception):
    """The tests themselves are at fault."""


class Tests:
    """Statements that can fail by themselves are tests, and are counted; what stands between them prepares them."""

    def __init__(self):
        self.total = 0

    def split(self, statements, where):
        """The statements, each test in a `with` of its own that records how it ends and goes on."""
        before, out = self.total, []
        for one in statements:
            out.append(self.wrap([one]) if is_test(one) else one)
            if is_test_function(one):
                call = ast.Expr(ast.Call(ast.Name(one.name, ast.Load()), [], []))
                out.append(self.wrap([ast.copy_location(call, one)]))
        if self.total > before:
            return out
        if not any(isinstance(one, ast.Expr) and isinstance(one.value, ast.Call) for one in statements):
            raise Broken(f"{where}: nothing in it can fail")
        return [self.wrap(statements)]

    def wrap(self, statements):
        call = ast.Call(ast.Name("__fathom_test__", ast.Load()), [ast.Constant(self.total)], [])
        self.total += 1
        block = ast.With([ast.withitem(call)], statements)
        return ast.fix_missing_locations(ast.copy_location(block, statements[0]))


def is_test(statement):
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return False
    return any(isinstance(node, ast.Raise) or isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant)
               for node in ast.walk(statement))


def is_test_function(statement):
    """As pytest finds them, without fixtures."""
    return (isinstance(statement, ast.FunctionDef) and statement.name.startswith("test")
            and not statement.args.posonlyargs + statement.args.args)


def parse(text, where):
    """`where` becomes the name of the file."""
    try:
        tree = ast.parse(text, where)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Broken(f"{where}: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assert, ast.Expr, ast.Assign)):
            for line in range(node.lineno, node.end_lineno + 1):
                SOURCES[where, line] = ast.unparse(node)
    return tree


def check_tree(texts, tests):
    """A module that defines check(candidate): the statements of its body are the tests."""
    text, = texts
    tree = parse(text, "the tests")
    checks = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"]
    if len(checks) != 1:
        raise Broken("the tests do not define check(candidate) once")
    checks[0].body = tests.split(checks[0].body, "check")
    return {"the tests": tree}


def asserts_trees(texts, tests):
    trees = {}
    for number, text in enumerate(texts, 1):
        where = f"test {number}"
        trees[where] = parse(text, where)
        trees[where].body = tests.split(trees[where].body, where)
    return trees


def free_names(trees):
    """Names that the tests use and do not make themselves."""
    used, made = set(), set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else made).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            made.add(node.name)
        elif isinstance(node, ast.arg):
            made.add(node.arg)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            made.update((name.asname or name.name).split(".")[0] for name in node.names)
    return {name for name in used - made if not name.startswith("__")}

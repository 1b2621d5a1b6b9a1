/* What answers of services hold is read, everything else is refused. */
#include "cmocka_all.h"

#include "base/mem.h"
#include "codec/xml.h"

static int see(void *context, Str path, Str text, Error *err)
{
    (void)err;
    buf_printf(context, "%.*s=%.*s\n", STR_ARG(path), STR_ARG(text));
    return 0;
}

static void elements_come_with_their_path_and_text(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf seen = BUF_INIT(1000);
    Str document = STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns='http://x/'><A>a&amp;"
                       "&quot;&#x1;&#233;</A>\n <B c=\"1\" d='2'><C/></B><D  ></D ></R>\n");
    assert_int_equal(xml_read(document, see, &seen, &err), 0);
    assert_string_equal(seen.data, "R/A=a&\"\x01\xc3\xa9\nR/B/C=\nR/B=\nR/D=\nR=\n");
}

static void what_is_escaped_is_read_back(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf seen = BUF_INIT(1000);
    auto_buf Buf document = BUF_INIT(1000);
    buf_addz(&document, "<R>");
    xml_add_text(&document, STR("a&b<c>d\"e'f\r\n\t]]>\xc3\xa9"));
    buf_addz(&document, "</R>");
    assert_int_equal(xml_read(buf_str(&document), see, &seen, &err), 0);
    assert_string_equal(seen.data, "R=a&b<c>d\"e'f\r\n\t]]>\xc3\xa9\n");
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const documents[] = {
        "",
        "text",
        "<",
        "<R>",
        "<R",
        "<R></S>",
        "</R>",
        "<R/><S/>",
        "<R/>x",
        "<R>a<S/></R>",
        "<R><S/>a</R>",
        "<R>&nbsp;</R>",
        "<R>&#0;</R>",
        "<R>&#xd800;</R>",
        "<R>&#x110000;</R>",
        "<R>&#99999999999;</R>",
        "<R>&amp</R>",
        "<!DOCTYPE r [<!ENTITY a 'b'>]><R>&a;</R>",
        "<R><![CDATA[x]]></R>",
        "<R><!-- x --></R>",
        "<R><?pi?></R>",
        "<R a></R>",
        "<R a=1></R>",
        "<R a=\"1></R>",
        "<R a=\"1\"b=\"2\"></R>",
        "<a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a>",
        "<R>\xff</R>",
        "<html><body>proxy error<br></body></html>",
    };
    for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
        auto_error Error err = ERROR_INIT;
        auto_buf Buf seen = BUF_INIT(1000);
        if (xml_read(str_of(documents[i]), see, &seen, &err) == 0)
            fail_msg("%s", documents[i]);
        assert_int_equal(err.kind, ERR_BAD_DATA);
    }
}

static void a_text_over_the_ceiling_is_refused(void **state)
{
    (void)state;
    auto_error Error err = ERROR_INIT;
    auto_buf Buf seen = BUF_INIT(1000);
    auto_buf Buf document = BUF_INIT(XML_TEXT_MAX * 2);
    buf_addz(&document, "<R>");
    for (size_t i = 0; i <= XML_TEXT_MAX; i++)
        buf_addc(&document, 'x');
    buf_addz(&document, "</R>");
    assert_int_equal(xml_read(buf_str(&document), see, &seen, &err), -1);
    assert_int_equal(err.kind, ERR_BAD_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_come_with_their_path_and_text),
        cmocka_unit_test(what_is_escaped_is_read_back),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(a_text_over_the_ceiling_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* page_files.h - the files beside this one, as the build put them into the
 * program (common/cmake/Embed.cmake). The length is without the NUL behind.
 */
#ifndef APP_PAGE_FILES_H
#define APP_PAGE_FILES_H

#include <stddef.h>

extern const unsigned char page_html[];
extern const size_t page_html_len;
extern const unsigned char page_css[];
extern const size_t page_css_len;
extern const unsigned char page_js[];
extern const size_t page_js_len;
extern const unsigned char figures_js[];
extern const size_t figures_js_len;
extern const unsigned char page_svg[];
extern const size_t page_svg_len;

#endif /* APP_PAGE_FILES_H */

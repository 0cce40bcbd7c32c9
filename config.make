# nginx's make makes the page's C source of its parts, see util/page.sh.

cat << END                                                    >> $NGX_MAKEFILE

$rcv_page:	`echo $ngx_addon_dir/dashboard/page/*.* \
    $ngx_addon_dir/dashboard/page/vendor/uplot/*.*` $ngx_addon_dir/util/page.sh
	sh $ngx_addon_dir/util/page.sh \$@
END
